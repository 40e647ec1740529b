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
        .then(function (now) { if (now && String(now.version) !== seen) { changed.hidden = false; } })
        .catch(function () {});
    }, 20000);
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

// The queue: counts that live, the next ticket and the search by key, all of a page at once.
(function () {
  "use strict";
  var views = document.querySelector("[data-counts]"), said = document.querySelector("[data-said]");
  function count(name) { return views.querySelector('[data-view="' + name + '"]'); }
  if (views && said) {
    setInterval(function () {
      if (document.hidden) { return; }
      fetch("/desk/counts", { credentials: "same-origin" })
        .then(function (answer) { return answer.ok ? answer.json() : null; })
        .then(function (now) {
          if (!now) { return; }
          var heard = ["mine", "late"].some(function (name) {
            return name in now.counts && count(name) && count(name).textContent !== String(now.counts[name]);
          });
          Object.keys(now.counts).forEach(function (name) {
            if (count(name)) { count(name).textContent = now.counts[name]; }
          });
          if (count("late")) { count("late").classList.toggle("alarming", now.counts.late > 0); }
          if (heard) { said.textContent = now.said; }
        })
        .catch(function () {});
    }, 20000);
  }

  // A key alone does something only while nothing is being typed, and not where they were turned off.
  var OFF = "sawt-keys-off", on = document.querySelector("[data-keys-on]");
  function off() { try { return localStorage.getItem(OFF) === "1"; } catch (e) { return false; } }
  if (on) {
    on.checked = !off();
    on.addEventListener("change", function () {
      try { localStorage.setItem(OFF, on.checked ? "0" : "1"); } catch (e) { /* they stay as they were */ }
    });
  }
  document.addEventListener("keydown", function (event) {
    var at = event.target;
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented || off()) { return; }
    if (at.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName)) { return; }
    var next = document.querySelector("a[data-next]"), search = document.getElementById("q");
    if (event.code === "KeyN" && next) { event.preventDefault(); next.click(); }
    else if ((event.key === "/" || event.code === "Slash") && search) { event.preventDefault(); search.focus(); }
  });

  var all = document.querySelector("[data-choose-all]"), many = document.querySelector("form.many");
  if (all && many) {
    var box = all.querySelector("input"), chosen = many.querySelector("[data-chosen]");
    var tell = function () {
      var n = many.querySelectorAll('input[name="t"]:checked').length;
      chosen.textContent = n; chosen.hidden = !n;
    };
    all.hidden = false;
    box.addEventListener("change", function () {
      many.querySelectorAll('input[name="t"]').forEach(function (each) { each.checked = box.checked; });
      tell();
    });
    many.addEventListener("change", tell);
    tell();
  }
})();
