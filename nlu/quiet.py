"""Import this before Rasa: one thread for linear algebra, no telemetry, no chatter of libraries."""

import os
import warnings

# More threads than cores make small matrices a hundred times slower, and one is enough for a parse.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # of transformers the tokenizers alone are used
os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
os.environ.setdefault("LOG_LEVEL", "WARNING")  # also Rasa's progress bars
os.environ.setdefault("LOG_LEVEL_LIBRARIES", "ERROR")
# Rasa's cache would copy the model once more and slow the training down; ours is the name of the model.
os.environ.setdefault("RASA_MAX_CACHE_SIZE", "0")
# Filters do not last: libraries set their own on import.
warnings.showwarning = lambda *args, **kwargs: None
