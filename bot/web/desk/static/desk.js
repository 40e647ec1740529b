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
    var also = document.getElementById("also");
    var look = function () {
      if (document.hidden) { return; }
      var form = new FormData();
      form.append("csrf", live.dataset.csrf);
      fetch("/desk/tickets/" + live.dataset.ref + "/looking", { method: "POST", body: form, credentials: "same-origin" })
        .then(function (answer) { return answer.ok ? answer.json() : null; })
        .then(function (now) {
          if (!now) { return; }
          if (String(now.version) !== seen && !document.getElementById("waiting")) {
            // In a conversation what is said is shown at once; what is being typed is never lost.
            var typing = Array.prototype.some.call(document.querySelectorAll("textarea"), function (box) { return !box.readOnly && box.value !== box.defaultValue; });
            if (live.dataset.live && !typing) { location.reload(); } else { changed.hidden = false; }
          }
          if (also.textContent !== now.also) { also.textContent = now.also; also.hidden = !now.also; }
        })
        .catch(function () {});
    };
    look();
    setInterval(look, live.dataset.live ? 3000 : 20000);
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

  // ---- Replies: drafts are kept, what will become of the words is said while they are typed, and what waits is counted down.
  document.querySelectorAll("form[data-box]").forEach(function (form) {
    var verb = form.dataset.box;
    var door = form.getAttribute("action").replace(/[^/]+$/, "");
    var box = form.querySelector("textarea[name=text]");
    var kept = form.querySelector("[data-kept]");
    var preview = form.querySelector("[data-preview]");
    var saved = kept.textContent ? box.value : ""; // what a refused form shows again is kept nowhere yet
    var gone = false;
    var saving = null;
    var saveLater = 0;
    var askLater = 0;
    var asked = 0;

    function fields() {
      var data = new FormData();
      data.append("csrf", form.elements.csrf.value);
      data.append("verb", verb);
      data.append("text", box.value);
      return data;
    }
    function save() {
      clearTimeout(saveLater);
      saveLater = 0;
      if (gone || box.value === saved) { return; }
      var now = box.value;
      saving = new AbortController();
      fetch(door + "draft", { method: "POST", body: fields(), credentials: "same-origin", headers: { Accept: "application/json" }, signal: saving.signal })
        .then(function (answer) { return answer.ok ? answer.json() : null; })
        .then(function (told) { if (told) { saved = now; kept.textContent = told.words; } })
        .catch(function () {});
    }
    function ask() {
      askLater = 0;
      if (!preview || gone) { return; }
      var mine = ++asked;
      fetch(door + "preview", { method: "POST", body: fields(), credentials: "same-origin" })
        .then(function (answer) { return answer.ok ? answer.json() : null; })
        .then(function (told) {
          if (!told || mine !== asked) { return; }
          var words = preview.querySelector(".preview-words");
          if (words.textContent !== told.words) { words.textContent = told.words; }
          preview.className = "preview " + told.tone;
        })
        .catch(function () {});
    }
    box.addEventListener("input", function () {
      if (!saveLater) { saveLater = setTimeout(save, 3000); }
      clearTimeout(askLater);
      askLater = setTimeout(ask, 500);
    });
    box.addEventListener("change", save); // the box is left
    if (preview) { setInterval(function () { if (!document.hidden) { ask(); } }, 60000); }

    // Sent is sent: no draft of it may come after it.
    form.addEventListener("submit", function () {
      gone = true;
      clearTimeout(saveLater);
      if (saving) { saving.abort(); }
    });
    window.addEventListener("pageshow", function () { gone = false; });
    window.addEventListener("pagehide", function () {
      if (!gone && box.value !== saved) { navigator.sendBeacon(door + "draft", fields()); saved = box.value; }
    });

    // A chosen answer goes in where the cursor stands, without a trip to the house.
    var insert = form.querySelector("button[value=insert]");
    if (insert) {
      insert.addEventListener("click", function (event) {
        event.preventDefault();
        var chosen = form.elements.canned.selectedOptions[0];
        var text = chosen && chosen.dataset.text;
        if (!text) { form.elements.canned.focus(); return; }
        var before = box.value.slice(0, box.selectionStart);
        box.setRangeText((before && !/\n$/.test(before) ? "\n\n" : "") + text, box.selectionStart, box.selectionEnd, "end");
        form.elements.canned.value = "";
        box.focus();
        box.dispatchEvent(new Event("input"));
      });
    }
    var keep = form.querySelector("button[value=draft]");
    if (keep) { keep.addEventListener("click", function (event) { event.preventDefault(); save(); }); }
  });

  // Ten seconds to take it back; then the page shows what came of it, unless somebody is typing.
  var waiting = document.getElementById("waiting");
  if (waiting) {
    waiting.tabIndex = -1;
    if (!status) { waiting.focus(); }
    var until = performance.now() + 1000 * Number(waiting.dataset.left);
    var bar = waiting.querySelector("progress");
    var counting = setInterval(function () {
      var left = (until - performance.now()) / 1000;
      if (bar) { bar.value = Math.max(0, left); }
      if (left > -1.5) { return; }
      clearInterval(counting);
      var typing = document.activeElement && document.activeElement.tagName === "TEXTAREA";
      if (!typing) { location.replace(waiting.dataset.next); return; }
      waiting.querySelector("[data-while]").hidden = true;
      waiting.querySelector("[data-after]").hidden = false;
      if (bar) { bar.hidden = true; }
      var back = waiting.querySelector("form");
      if (back) { back.hidden = true; }
    }, 200);
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
