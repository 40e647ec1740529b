/* Comfort only: every page works without this file. */
(function () {
  "use strict";

  // A form that was sent is not sent twice by an impatient hand.
  document.querySelectorAll("form[data-once]").forEach(function (form) {
    form.addEventListener("submit", function (event) {
      if (form.dataset.sent) { event.preventDefault(); return; }
      form.dataset.sent = "1";
      setTimeout(function () { delete form.dataset.sent; }, 5000);
    });
  });

  // What a page says first is where the eyes and the focus go.
  var status = document.getElementById("status");
  if (status) { status.tabIndex = -1; status.focus(); }

  // The last thing said is what a clerk reads first.
  var talk = document.querySelector(".talk");
  if (talk) { talk.scrollTop = talk.scrollHeight; }

  // Somebody else changed this ticket: say so, and leave what is being typed alone.
  var live = document.getElementById("live");
  if (live) {
    var seen = live.dataset.version;
    var changed = document.getElementById("changed");
    setInterval(function () {
      if (document.hidden || !changed.hidden) { return; }
      fetch("/desk/tickets/" + live.dataset.ref + "/version", { credentials: "same-origin" })
        .then(function (answer) { return answer.ok ? answer.json() : null; })
        .then(function (now) {
          if (!now || String(now.version) === seen) { return; }
          // In a conversation what is said is shown at once; what is being typed is never lost.
          var typing = Array.prototype.some.call(document.querySelectorAll("textarea"), function (box) { return !box.readOnly && box.value !== box.defaultValue; });
          if (live.dataset.live && !typing) { location.reload(); } else { changed.hidden = false; }
        })
        .catch(function () {});
    }, live.dataset.live ? 3000 : 20000);
  }

  // j and k walk the list, only while the focus is in it.
  var list = document.querySelector("[data-keys]");
  if (list) {
    list.addEventListener("keydown", function (event) {
      if (event.altKey || event.ctrlKey || event.metaKey) { return; }
      var step = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1, "ت": 1, "ن": -1 }[event.key];
      if (!step) { return; }
      var links = Array.prototype.slice.call(list.querySelectorAll("a.matter"));
      var next = links[links.indexOf(document.activeElement) + step];
      if (next) { event.preventDefault(); next.focus(); }
    });
  }
})();
