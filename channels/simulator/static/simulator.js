// The page of the local provider: a telephone of each person, over the control door. Texts are set as text, never as markup.
"use strict";

const base = new URL("../", document.currentScript.src);
const EVERY = 700;
const PLACE = { latitude: 24.713552, longitude: 46.675297, name: "مركز خدمة المستفيدين" };
const TOLD = ["whatsapp", "sms"]; // Telegram tells nothing of a message that it has accepted
const FAULTS = [
  { id: "", title: "طبيعي · normal" },
  { id: "status 500", title: "خطأ ٥٠٠ · fails with 500", fault: { kind: "status", status: 500 } },
  { id: "status 429", title: "أسرع من المسموح · throttled, 429", fault: { kind: "status", status: 429, retry_after: 5 } },
  { id: "blocked", title: "حظرنا · has blocked us", fault: { kind: "blocked" } },
  { id: "accept_then_cut", title: "قُبل ثم انقطع الاتصال · accepted, connection cut", fault: { kind: "accept_then_cut" } },
  { id: "late", title: "تأخر الخبر ١٥ ثانية · told 15 s late", fault: { kind: "late", seconds: 15 }, on: TOLD },
  { id: "double_callback", title: "كل خبر مرتين · told twice", fault: { kind: "double_callback" }, on: TOLD },
  { id: "undelivered", title: "لا يصل · is not delivered", fault: { kind: "undelivered" }, on: TOLD },
  { id: "closed", title: "نافذة ٢٤ ساعة مغلقة حتى يكتب · 24 h window closed until they write", fault: { kind: "closed" }, on: ["whatsapp"] },
];
const STATES = {
  queued: "في الانتظار · queued", accepted: "في الانتظار · accepted", sent: "أُرسلت · sent", delivered: "وصلت · delivered",
  read: "قُرئت · read", undelivered: "لم تصل · undelivered", failed: "فشلت · failed", sending: "جارٍ الإرسال · sending",
  received: "استلمها النظام · received", refused: "لم يقبلها النظام · refused",
};
const BAD = ["undelivered", "failed", "refused"];
const $ = (id) => document.getElementById(id);
const people = [];
const shown = new Map(); // number of a message -> its entry and what it was made from
let pending = null; // the file that goes with the next message
let turn = 0; // counts changes of person and fault: an answer to what was asked before is dropped

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function person() {
  return { scheme: new FormData($("who")).get("scheme"), person: $("person").value };
}

async function ask(door, said) {
  const options = said && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(said) };
  const answer = await fetch(new URL(`play/${door}`, base), options);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error((typeof body.error === "string" && body.error) || `HTTP ${answer.status}`);
  return body;
}

function complain(error) {
  $("problem").hidden = !error;
  $("problem").textContent = error ? `تعذّر ذلك · That failed: ${error.message}` : "";
}

async function doing(what) {
  try {
    complain(null);
    await what();
    await refresh();
  } catch (error) {
    complain(error);
  }
}

// A name or number that keeps its own direction within a line.
function apart(text) {
  return `\u2068${text}\u2069`;
}

// the transcript

function facts(message) {
  const lines = [message.text, ...message.files.map((file) => `📎 ${apart(file.name)} ${apart(`${Math.ceil(file.size / 1000)} kB`)}`)];
  const place = message.place;
  if (place) lines.push(`📍 ${place.name} ${apart(`${place.latitude.toFixed(5)}, ${place.longitude.toFixed(5)}`)}`);
  return (message.pressed ? "👆 " : "") + lines.filter(Boolean).join("\n");
}

function meta(message) {
  const made = element("p", "", { class: "meta" });
  const at = new Date(message.at);
  made.append(element("time", at.toLocaleTimeString("en-GB"), { datetime: message.at }), " ");
  const status = message.direction === "in" && message.state === "refused" ? message.told.at(-1)?.status : message.code;
  const words = [STATES[message.state], status, message.answered ? "" : "بلا جواب · unanswered"].filter(Boolean).join(" · ");
  made.append(element("span", words, BAD.includes(message.state) ? { class: "bad" } : {}));
  return made;
}

function keys(message) {
  const made = element("div", "", { class: "keys" });
  for (const row of message.buttons) {
    const line = element("div");
    for (const button of row) {
      const key = element("button", button.title, { type: "button", dir: "auto" });
      const press = { ...person(), token: button.token, message: message.id };
      key.addEventListener("click", () => doing(() => ask("press", press)));
      line.append(key);
    }
    made.append(line);
  }
  return made;
}

function entry(message) {
  const made = element("li", "", { class: `${message.direction} ${message.own ? "own" : ""}` });
  made.append(element("p", facts(message) || "(∅)", { class: "bubble", dir: "auto" }));
  if (message.buttons.length) made.append(keys(message));
  made.append(meta(message));
  return made;
}

function show(messages) {
  const log = $("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  for (const message of messages) {
    const before = shown.get(message.number);
    const from = JSON.stringify(message);
    if (before?.from === from) continue;
    const made = entry(message);
    if (before) before.made.replaceWith(made);
    else log.append(made);
    shown.set(message.number, { made, from });
  }
  if (atEnd) log.scrollTop = log.scrollHeight;
}

async function refresh() {
  const asked = turn;
  const who = person();
  if (!who.person) return;
  const { messages, next } = await ask(`messages?${new URLSearchParams(who)}`);
  if (asked !== turn) return;
  show(messages);
  showFault(next);
  const unread = messages.some((message) => message.direction === "out" && message.state === "delivered");
  if (unread && who.scheme === "whatsapp" && document.visibilityState === "visible") await ask("read", who);
}

async function keepLooking() {
  if (document.visibilityState === "visible") await refresh().catch(complain);
  setTimeout(keepLooking, EVERY);
}

// who plays, and what goes wrong

function offerPeople() {
  const { scheme } = person();
  const fitting = people.filter((each) => each.scheme === scheme);
  $("person").replaceChildren(...fitting.map((each) => element("option", `${each.name} — \u2066${each.person}\u2069`, { value: each.person })));
  $("place").hidden = scheme === "sms";
  changePerson();
}

function changePerson() {
  turn += 1;
  shown.clear();
  $("log").replaceChildren();
  const { scheme } = person();
  const fitting = FAULTS.filter((each) => !each.on || each.on.includes(scheme));
  $("fault").replaceChildren(...fitting.map((each) => element("option", each.title, { value: each.id })));
  doing(() => {});
}

// What the next delivery will suffer, which may have been set elsewhere; one that has happened leaves the normal again.
function showFault(next) {
  const known = [...$("fault").options].some((option) => option.value === next);
  if (known && $("fault").value !== next) $("fault").value = next;
}

async function chooseFault() {
  const chosen = FAULTS.find((each) => each.id === $("fault").value);
  turn += 1;
  await ask("fault", { kind: "normal", ...person() });
  if (chosen.fault) await ask("fault", { ...chosen.fault, ...person() });
  turn += 1;
}

// writing

async function content(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

function choose(file) {
  pending = file || null;
  $("chosen").hidden = !pending;
  $("name").textContent = pending ? pending.name : "";
  if (!pending) $("file").value = "";
}

async function write() {
  const text = $("text").value;
  const file = pending;
  if (!text && !file) return;
  const files = file ? [{ name: file.name, type: file.type || "application/octet-stream", content: await content(file) }] : [];
  const written = ask("write", { ...person(), text, files });
  $("text").value = "";
  choose(null);
  try {
    await written;
  } catch (error) { // nothing was sent: it is there again, to be sent once more
    if (!$("text").value) $("text").value = text;
    choose(file);
    throw error;
  }
}

$("who").addEventListener("submit", (event) => event.preventDefault());
document.querySelectorAll("[name=scheme]").forEach((radio) => radio.addEventListener("change", offerPeople));
$("person").addEventListener("change", changePerson);
$("fault").addEventListener("change", () => doing(chooseFault));
$("file").addEventListener("change", () => choose($("file").files[0]));
$("drop").addEventListener("click", () => choose(null));
$("place").addEventListener("click", () => doing(() => ask("write", { ...person(), place: PLACE })));
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  doing(write);
});
$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
});
ask("people").then((answer) => {
  people.push(...answer.people);
  offerPeople();
  keepLooking();
}, complain);
