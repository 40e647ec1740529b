"""Every sentence a person reads: catalogues (ar, en, zh) and how they are rendered."""
