// The chat page in a real browser. node chat.mjs BASE [part of a name] [folder for pictures]
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { gzipSync } from "node:zlib";
import { parse } from "acorn";
import { runAll, start } from "./browser.mjs";

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const [BASE, ONLY, PICTURES] = process.argv.slice(2);
const browser = await start();

const control = (what, body = {}) =>
  fetch(`${BASE}/test/${what}`, { method: "POST", body: JSON.stringify(body) }).then((answer) => answer.json());
const kept = async () => (await control("kept")).kept;
const own = async () => (await kept()).flat().filter((event) => event.kind === "own").map((event) => event.text);

// A fresh browser and a fresh house for each check; a script error or a CSP report is a failure of it.
async function withPage(options, check) {
  await control("wipe");
  await control("state", { down: false, silent: false });
  const context = await browser.newContext({ viewport: { width: 1000, height: 800 }, bypassCSP: false, ...options });
  const page = await context.newPage();
  const wrong = [];
  const watch = (each) => {
    each.on("pageerror", (error) => wrong.push(String(error)));
    each.on("console", (line) => { if (/Content Security|Refused to/.test(line.text())) wrong.push(line.text()); });
    each.on("request", (request) => { if (!request.url().startsWith(BASE)) wrong.push(`external: ${request.url()}`); });
  };
  watch(page);
  context.on("page", watch);
  try {
    await check(page, context);
    assert.deepEqual(wrong, []);
  } finally {
    await context.close();
  }
}

const box = (page) => page.locator("sawt-chat textarea");
const messages = (page, side) => page.locator(`sawt-chat .history .msg.${side}`);
async function open(page, address = "/") {
  await page.goto(BASE + address);
  await box(page).waitFor();
}
async function write(page, text) {
  await box(page).fill(text);
  await box(page).press("Enter");
}
async function until(what, seconds = 8) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    if (await what()) return;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((go) => setTimeout(go, 50));
  }
}
const counted = (locator, number) => until(async () => (await locator.count()) === number);
const texts = (locator) => locator.evaluateAll((nodes) => nodes.map((node) => node.querySelector(".text").textContent));

// Files: a picture of one pixel, what is no file of ours, and how a page is given them.
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==", "base64");
const file = (name, buffer = PNG, mimeType = "image/png") => ({ name, mimeType, buffer });
const HTML = file("page.html", Buffer.from("<html><script>alert(1)</script></html>"), "text/html");
const attach = (page) => page.locator("sawt-chat .attach");
const choose = (page, ...files) => page.locator("sawt-chat input[type=file]").setInputFiles(files);
const pending = (page) => page.locator("sawt-chat .pending .msg");
const refusal = (page) => page.locator("sawt-chat .refusal");
const word = (page, name) => page.evaluate((asked) => document.querySelector("sawt-chat").say(asked), name);
const filesKept = async () => (await control("kept")).files;
const busy = async (page) => (await attach(page).getAttribute("aria-busy")) === "true";
const focused = (page) => page.evaluate(() => document.activeElement.shadowRoot.activeElement.className);

// Everything that a screen reader is told from now on.
async function listen(page) {
  await page.evaluate(() => {
    window.told = [];
    const look = new MutationObserver((changes) => changes.forEach((change) => {
      const text = change.target.textContent.replace(/\u200b/g, "");
      if (text) window.told.push(text);
    }));
    document.querySelector("sawt-chat").shadowRoot.querySelectorAll("[role=status]").forEach((each) => look.observe(each, { childList: true }));
  });
  return () => page.evaluate(() => window.told);
}

// Files stay on their way until they are let go; `seen` are the ids they went with.
async function hold(page) {
  let go;
  const held = new Promise((resolve) => { go = resolve; });
  const state = { seen: [], at: 0, most: 0, go: () => go() };
  await page.route("**/chat/files", async (route) => {
    state.seen.push(/name="id"\r\n\r\n(\S+)/.exec(route.request().postDataBuffer().toString("latin1"))[1]);
    state.at += 1;
    state.most = Math.max(state.most, state.at);
    await held;
    const answer = await route.fetch();
    state.at -= 1;
    await route.fulfill({ response: answer });
  });
  return state;
}

async function axe(page, name) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  const told = found.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.target.join(" ")).join(" | ")}`);
  assert.deepEqual(told, [], name);
  assert.ok(found.passes.length > 15, "axe looked at something");
}

const CHECKS = {
  "a message is sent, answered and shown once": () => withPage({}, async (page) => {
    await open(page);
    await write(page, "المكيف معطل");
    await counted(messages(page, "them"), 1);
    await counted(messages(page, "me"), 1);
    assert.deepEqual(await texts(messages(page, "me")), ["المكيف معطل"]);
    await until(async () => (await messages(page, "me").first().getAttribute("class")).includes("sent"));
    assert.deepEqual(await own(), ["المكيف معطل"]);
    assert.equal(await box(page).inputValue(), "");
    assert.equal(await page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith("sawt.q.")).length), 0);
  }),

  "a button posts its payload and shows its title as the person's words": () => withPage({}, async (page) => {
    await open(page);
    await write(page, "طلب");
    await counted(messages(page, "them"), 1);
    const buttons = messages(page, "them").first().locator("button");
    assert.equal(await buttons.count(), 3);
    assert.match(await buttons.first().innerText(), /1\./);
    const [request] = await Promise.all([page.waitForRequest(/\/chat\/messages/), buttons.first().click()]);
    const sent = request.postDataJSON();
    assert.deepEqual(Object.keys(sent).sort(), ["id", "payload"]);
    assert.match(sent.payload, /"do":"file"/);
    await counted(messages(page, "them"), 2);
    assert.deepEqual(await texts(messages(page, "me")), ["طلب", "نعم، سجّل الطلب"]);
    assert.equal(await buttons.first().getAttribute("aria-disabled"), "true");
    await buttons.first().click({ force: true });
    await page.waitForTimeout(300);
    assert.equal((await own()).length, 2, "an answered choice is pressed once");
  }),

  "a reload shows the whole conversation again, in order": () => withPage({}, async (page) => {
    await open(page);
    for (const text of ["أولاً", "ثانياً", "ثالثاً"]) await write(page, text);
    await counted(messages(page, "them"), 3);
    const before = await texts(page.locator("sawt-chat .history .msg"));
    await messages(page, "them").last().locator("button").nth(2).click();
    await counted(messages(page, "them"), 4);
    await page.reload();
    await counted(messages(page, "them"), 4);
    await counted(messages(page, "me"), 4);
    // the order of the desk: each message followed by its answer
    assert.deepEqual((await texts(messages(page, "me"))).slice(0, 3), ["أولاً", "ثانياً", "ثالثاً"]);
    assert.equal(before.length, 6);
    assert.equal(await page.locator("sawt-chat .starters").isHidden(), true);
    assert.equal(await page.locator("sawt-chat .history .chosen").count(), 1);
  }),

  "offline: kept, shown as waiting, sent in order when the network is back": () => withPage({}, async (page, context) => {
    await open(page);
    await write(page, "قبل");
    await counted(messages(page, "them"), 1);
    await context.setOffline(true);
    await write(page, "واحد");
    await write(page, "اثنان");
    await counted(page.locator("sawt-chat .pending .msg.me"), 2);
    await until(() => page.locator("sawt-chat .status").isVisible());
    assert.deepEqual(await own(), ["قبل"]);
    await context.setOffline(false);
    await counted(messages(page, "me"), 3);
    await until(async () => (await own()).length === 3);
    assert.deepEqual(await own(), ["قبل", "واحد", "اثنان"]);
    await counted(messages(page, "them"), 3);
    await until(() => page.locator("sawt-chat .status").isHidden());
  }),

  "what could not be sent is still there after a reload, and goes then": () => withPage({}, async (page) => {
    await open(page);
    await control("state", { down: true });
    await write(page, "لا تضيعني");
    await until(async () => (await page.locator("sawt-chat .pending .msg").getAttribute("class")).includes("waiting"));
    await page.reload();
    await counted(page.locator("sawt-chat .pending .msg"), 1);
    await control("state", { down: false });
    await until(async () => (await own()).length === 1, 12);
    await counted(messages(page, "them"), 1);
    assert.deepEqual(await own(), ["لا تضيعني"]);
  }),

  "a 429 waits as long as it says, and everything arrives in order": () => withPage({}, async (page) => {
    await open(page);
    const said = Array.from({ length: 24 }, (_, i) => `رسالة ${i + 1}`);
    for (const text of said) await write(page, text);
    await until(async () => (await own()).length === 24, 15);
    assert.deepEqual(await own(), said);
  }),

  "an answer that got lost is not a second message": () => withPage({}, async (page) => {
    await open(page);
    let lost = 0;
    await page.route("**/chat/messages", async (route) => {
      if (lost++) return route.continue();
      await route.fetch();
      return route.abort();
    });
    await write(page, "مرة واحدة");
    await until(async () => lost >= 1 && (await messages(page, "me").count()) === 1);
    await page.waitForTimeout(1800);
    assert.deepEqual(await own(), ["مرة واحدة"]);
    assert.equal(await messages(page, "them").count(), 1);
  }),

  "refused: the sentence is shown and the text can be taken back": () => withPage({}, async (page) => {
    await open(page, "/?lang=en");
    await page.route("**/chat/messages", (route) => route.fulfill({
      status: 422, contentType: "application/json", body: JSON.stringify({ error: { code: "too_long", text: "Too <b>long</b>." } }),
    }));
    await write(page, "keep this");
    await page.locator("sawt-chat .refusal p").waitFor();
    assert.equal(await page.locator("sawt-chat .refusal p").innerText(), "Too <b>long</b>.");
    await page.reload();
    await page.locator("sawt-chat .refusal button").first().click();
    assert.equal(await box(page).inputValue(), "keep this");
    assert.equal(await page.locator("sawt-chat .pending .msg").count(), 0);
  }),

  "more than 10,000 characters stay in the box": () => withPage({}, async (page) => {
    await open(page);
    const long = "ص".repeat(10_001);
    await box(page).fill(long);
    await box(page).press("Enter");
    assert.equal((await box(page).inputValue()).length, 10_001);
    assert.match(await page.locator("sawt-chat .count").innerText(), /10,000/);
    await box(page).fill("ص".repeat(10_000));
    await box(page).press("Enter");
    await counted(messages(page, "them"), 1);
    assert.equal((await own())[0].length, 10_000);
  }),

  "a draft survives a reload": () => withPage({}, async (page) => {
    await open(page);
    await box(page).pressSequentially("نصف جملة");
    await page.reload();
    await box(page).waitFor();
    assert.equal(await box(page).inputValue(), "نصف جملة");
  }),

  "a second tab sees the same conversation": () => withPage({}, async (page, context) => {
    await open(page);
    await write(page, "من الأول");
    await counted(messages(page, "them"), 1);
    const second = await context.newPage();
    await open(second);
    await counted(messages(second, "them"), 1);
    await write(second, "من الثاني");
    await counted(messages(page, "them"), 2);
    await counted(messages(page, "me"), 2);
    await counted(messages(second, "me"), 2);
    assert.equal((await kept()).length, 1, "one conversation");
  }),

  "a tab that was open before the first message joins the chat": () => withPage({}, async (page, context) => {
    await open(page);
    const second = await context.newPage();
    await open(second);
    await write(second, "بدأت هنا");
    await counted(messages(page, "them"), 1);
    await counted(messages(page, "me"), 1);
  }),

  "a session that ended begins anew and loses no message": () => withPage({}, async (page) => {
    await open(page);
    await write(page, "قديم");
    await counted(messages(page, "them"), 1);
    await page.evaluate(() => {
      const held = JSON.parse(localStorage.getItem("sawt.chat"));
      localStorage.setItem("sawt.chat", JSON.stringify({ ...held, token: held.token + "x" }));
    });
    await write(page, "جديد");
    await until(async () => (await kept()).length === 2);
    await page.locator("sawt-chat .notice").first().waitFor();
    await until(async () => (await texts(messages(page, "me"))).includes("جديد"));
    assert.deepEqual((await own()).sort(), ["جديد", "قديم"].sort());
  }),

  "the typing sign comes and goes": () => withPage({}, async (page) => {
    await open(page);
    await write(page, "سؤال");
    await counted(messages(page, "them"), 1);
    await control("typing", { on: true });
    await page.locator("sawt-chat .typing").waitFor({ state: "visible" });
    await control("typing", { on: false });
    await page.locator("sawt-chat .typing").waitFor({ state: "hidden" });
    await control("tell", { text: "استلمها موظف", kind: "status" });
    await page.locator("sawt-chat .notice").waitFor();
  }),

  "choosing a language tells the conversation": () => withPage({}, async (page) => {
    await open(page);
    await write(page, "مرحبا");
    await counted(messages(page, "them"), 1);
    await page.getByRole("link", { name: "English" }).click();
    await counted(messages(page, "them"), 1);
    assert.equal(await page.locator("html").getAttribute("lang"), "en");
    assert.equal(await page.locator("html").getAttribute("dir"), "ltr");
    await until(async () => (await control("kept")).languages[0] === "en");
  }),

  "Enter sends, Shift+Enter breaks the line, an IME's Enter does neither": () => withPage({}, async (page) => {
    await open(page, "/?lang=zh");
    await box(page).focus();
    await page.keyboard.type("一");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("二");
    await box(page).evaluate((area) =>
      area.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true })));
    assert.equal(await box(page).inputValue(), "一\n二");
    await page.keyboard.press("Enter");
    await counted(messages(page, "them"), 1);
    assert.deepEqual(await own(), ["一\n二"]);
  }),

  "the keyboard alone is enough": () => withPage({}, async (page) => {
    await open(page, "/?lang=en");
    const focused = () => page.evaluate(() => {
      const outer = document.activeElement;
      const inner = outer.shadowRoot ? outer.shadowRoot.activeElement : outer;
      return `${inner.tagName} ${inner.className || inner.textContent.trim()}`;
    });
    await page.keyboard.press("Tab");
    assert.match(await focused(), /^A skip/);
    await page.keyboard.press("Enter");
    for (let i = 0; i < 12 && !(await focused()).startsWith("TEXTAREA"); i++) await page.keyboard.press("Tab");
    assert.match(await focused(), /^TEXTAREA/);
    await page.keyboard.type("keyboard");
    await page.keyboard.press("Enter");
    await counted(messages(page, "them"), 1);
    assert.match(await focused(), /^TEXTAREA/, "the focus stays");
    for (let i = 0; i < 3; i++) await page.keyboard.press("Shift+Tab");
    assert.match(await focused(), /^BUTTON/);
    await page.keyboard.press("Enter");
    await counted(messages(page, "me"), 2);
    assert.match(await focused(), /^BUTTON/, "the focus stays on the pressed choice");
    const shown = await page.evaluate(() => {
      const inner = document.activeElement.shadowRoot.activeElement;
      return getComputedStyle(inner).outlineStyle;
    });
    assert.equal(shown, "solid", "the focus can be seen");
  }),

  "a new message is read once, history is not, and a repeated line is read again": () => withPage({}, async (page) => {
    await open(page, "/?lang=en");
    await write(page, "hello");
    await counted(messages(page, "them"), 1);
    const log = page.locator("sawt-chat [role=log]");
    assert.equal(await log.getAttribute("aria-live"), "polite");
    assert.equal(await messages(page, "me").first().getAttribute("aria-live"), "off");
    const announcers = page.locator("sawt-chat [role=status]");
    assert.equal((await announcers.allTextContents()).join("").trim(), "", "the log itself reads messages, nothing else does");
    await page.reload();
    await counted(messages(page, "them"), 1);
    assert.equal(await log.getAttribute("aria-live"), "off");
    await until(async () => (await log.getAttribute("aria-live")) === "polite");
    const say = () => page.evaluate(() => {
      const chat = document.querySelector("sawt-chat");
      chat.announce("same");
      return Array.from(chat.shadowRoot.querySelectorAll("[role=status]"), (each) => each.textContent);
    });
    const first = await say(), second = await say();
    assert.notDeepEqual(first, second);
    assert.notEqual(first.join(""), second.join(""));
  }),

  "nothing that is written is ever run": () => withPage({}, async (page) => {
    const corpus = [
      "<script>window.pwned=1</script>", "<img src=x onerror='window.pwned=1'>", "<svg/onload=window.pwned=1>",
      "javascript:window.pwned=1", "\"><iframe srcdoc='<script>parent.pwned=1</script>'>", "{{constructor.constructor('window.pwned=1')()}}",
      "[x](javascript:window.pwned=1)", "https://example.test/\"onmouseover=window.pwned=1//", "</textarea><script>window.pwned=1</script>",
      "<a href='javascript:window.pwned=1'>x</a>", "\u202egnp.exe\u202c", "data:text/html,<script>window.pwned=1</script>", "${window.pwned=1}",
    ];
    await open(page);
    for (const text of corpus) await write(page, text);
    await counted(messages(page, "them"), corpus.length);
    for (const text of corpus) await control("tell", { text, buttons: [{ title: text, payload: text }] });
    await control("tell", { text: corpus[1], kind: "status" });
    await page.locator("sawt-chat .notice").waitFor();
    await counted(messages(page, "them"), 2 * corpus.length);
    assert.deepEqual(await texts(messages(page, "me")), corpus);
    for (const link of await page.locator("sawt-chat .text a").all()) {
      assert.match(await link.getAttribute("href"), /^https?:\/\//);
      await link.hover({ force: true });
    }
    await page.reload();
    await counted(messages(page, "them"), 2 * corpus.length);
    assert.equal(await page.evaluate(() => window.pwned), undefined);
    assert.equal(await page.locator("sawt-chat .history :is(script, img, iframe, svg)").count(), 0);
  }),

  "links of the desk open apart, and end before the full stop": () => withPage({}, async (page) => {
    await open(page);
    await write(page, "x");
    await counted(messages(page, "them"), 1);
    await control("tell", { text: "انظر \u2068https://example.test/a?b=1\u2069. ثم https://example.test/c، شكراً" });
    await counted(messages(page, "them"), 2);
    const links = await page.locator("sawt-chat .text a").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
    assert.deepEqual(links, ["https://example.test/a?b=1", "https://example.test/c"]);
  }),

  "a browser that may not keep anything is told, and still works": () => withPage({}, async (page) => {
    await page.addInitScript(() => Object.defineProperty(window, "localStorage", { get() { throw new Error("blocked"); } }));
    await open(page);
    await page.locator("sawt-chat .status").waitFor();
    await write(page, "بلا تخزين");
    await counted(messages(page, "them"), 1);
  }),

  "an old browser: no randomUUID, no BroadcastChannel, no ResizeObserver": () => withPage({}, async (page) => {
    await page.addInitScript(() => {
      Object.defineProperty(crypto, "randomUUID", { value: undefined });
      for (const name of ["ResizeObserver", "IntersectionObserver", "BroadcastChannel"]) delete window[name];
      delete String.prototype.replaceAll;
      delete Array.prototype.at;
      delete Element.prototype.replaceChildren;
    });
    await open(page);
    await write(page, "قديم");
    await counted(messages(page, "them"), 1);
    const script = await (await fetch(`${BASE}/widget.js`)).text();
    parse(script, { ecmaVersion: 2018 });
  }),

  "the line is opened anew after a silence, and misses nothing": () => withPage({}, async (page) => {
    await open(page);
    await write(page, "قبل النوم");
    await counted(messages(page, "them"), 1);
    let streams = 0;
    page.on("request", (request) => { if (request.url().includes("/chat/events")) streams += 1; });
    await page.evaluate(() => { document.querySelector("sawt-chat").line.heard -= 600000; });
    await control("tell", { text: "أثناء النوم" });
    await counted(messages(page, "them"), 2);
    await page.evaluate(() => { const line = document.querySelector("sawt-chat").line; line.heard -= 600000; line.check(); });
    await until(() => streams >= 1);
    await control("tell", { text: "بعد النوم" });
    await counted(messages(page, "them"), 3);
    assert.equal(new Set(await texts(messages(page, "them"))).size, 3);
  }),

  "embedded in somebody's page with one script tag": () => withPage({}, async (page) => {
    await page.goto(`${BASE}/test/foreign`);
    const launcher = page.locator("sawt-chat .launcher");
    await launcher.click();
    await write(page, "hello");
    await counted(messages(page, "them"), 1);
    await page.locator("sawt-chat .bar [data-lang=ar]").click();
    assert.equal(await page.locator("sawt-chat .box").getAttribute("dir"), "rtl");
    await counted(messages(page, "them"), 1);
    await until(async () => (await control("kept")).languages[0] === "ar");
    await box(page).focus();
    await page.keyboard.press("Escape");
    assert.equal(await launcher.getAttribute("aria-expanded"), "false");
    assert.equal(await page.evaluate(() => document.activeElement.shadowRoot.activeElement.className), "launcher");
    await until(async () => (await page.locator("sawt-chat [role=log]").getAttribute("aria-live")) === "polite");
    await control("tell", { text: "رد" });
    await until(async () => (await page.locator("sawt-chat .badge").innerText()).includes("1"));
    // what has the focus behind it is not covered
    await page.evaluate(() => {
      const b = document.querySelector("sawt-chat").button.getBoundingClientRect();
      const link = document.createElement("a");
      link.href = "#y"; link.id = "under"; link.textContent = "under";
      Object.assign(link.style, { position: "fixed", left: `${b.left + 5}px`, top: `${b.top + 5}px` });
      document.body.appendChild(link);
      link.focus();
    });
    const covered = await page.evaluate(() => {
      const a = document.getElementById("under").getBoundingClientRect();
      const b = document.querySelector("sawt-chat").button.getBoundingClientRect();
      return !(a.right < b.left || a.left > b.right || a.bottom < b.top || a.top > b.bottom);
    });
    assert.equal(covered, false);
  }),

  "a file goes by itself, is shown once as the desk tells it, and the words stay in the box": () => withPage({}, async (page) => {
    await open(page, "/?lang=en");
    const told = await listen(page);
    await box(page).fill("not with the file");
    const way = await hold(page);
    await choose(page, file("leak.png"));
    await until(() => busy(page));
    assert.deepEqual(await texts(pending(page)), ["📎\u00a0leak.png"]);
    assert.equal(await page.locator("sawt-chat .status").isHidden(), true, "nothing jumps");
    way.go();
    await counted(messages(page, "them"), 1);
    await until(async () => !(await busy(page)));
    assert.deepEqual(await texts(messages(page, "me")), ["📎"]);
    assert.equal(await pending(page).count(), 0);
    await until(async () => (await messages(page, "me").innerText()).includes(await word(page, "sent")));
    assert.equal(await box(page).inputValue(), "not with the file");
    assert.deepEqual(await filesKept(), [{ name: "leak.png", type: "image/png", size: (await filesKept())[0].size, text: "" }]);
    await until(async () => (await told()).length === 2);
    assert.deepEqual(await told(), [await word(page, "file_sending"), await word(page, "sent")]);
    await page.reload();
    await counted(messages(page, "them"), 1);
    assert.deepEqual(await texts(messages(page, "me")), ["📎"]);
    assert.equal(await box(page).inputValue(), "not with the file");
  }),

  "chosen, pasted, dropped: files go one at a time and in order, and are announced once": () => withPage({}, async (page, context) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await open(page);
    const told = await listen(page);
    const way = await hold(page);
    await choose(page, file("1.png"), file("2.png"));
    await until(() => busy(page));
    await choose(page, file("3.png"));
    await page.evaluate(async (bytes) => {
      const picture = new Blob([new Uint8Array(bytes)], { type: "image/png" });
      await navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]);
    }, [...PNG]);
    await box(page).focus();
    await page.keyboard.press("Control+v");
    await counted(pending(page), 4);
    await page.locator("sawt-chat .log").evaluate((log, bytes) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], "5.png", { type: "image/png" }));
      const fire = (type) => log.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true, composed: true }));
      if (fire("dragover")) throw new Error("the browser would open the file");
      if (!document.querySelector("sawt-chat").shadowRoot.querySelector(".dropping")) throw new Error("nothing shows where");
      if (fire("drop")) throw new Error("the browser would open the file");
    }, [...PNG]);
    await counted(pending(page), 5);
    assert.equal(await page.locator("sawt-chat .dropping").count(), 0);
    // a table copied from an office program brings its picture along: its words are meant
    const taken = await box(page).evaluate((area, bytes) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], "table.png", { type: "image/png" }));
      data.setData("text/plain", "table");
      data.setData("text/html", "<b>table</b>");
      return !area.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true, composed: true }));
    }, [...PNG]);
    assert.equal(taken, false);
    way.go();
    await until(async () => (await filesKept()).length === 5);
    assert.deepEqual((await filesKept()).map((each) => each.name), ["1.png", "2.png", "3.png", "image.png", "5.png"]);
    assert.equal(way.most, 1, "one at a time");
    assert.equal(new Set(way.seen).size, 5);
    await counted(messages(page, "me"), 5);
    await until(async () => (await told()).length === 2);
    assert.deepEqual(await told(), [await word(page, "file_sending"), await word(page, "sent")]);
    assert.equal(await box(page).inputValue(), "");
    assert.equal(await page.locator("sawt-chat input[type=file]").inputValue(), "", "the same can be chosen once more");
  }),

  "a file that is not kept: why is written at it and said once, and nothing of the words is lost": async () => {
    for (const lang of ["ar", "en", "zh"]) {
      await withPage({}, async (page) => {
        await open(page, `/?lang=${lang}`);
        const told = await listen(page);
        await box(page).fill("كلمات words");
        await choose(page, HTML, file("good.png"));
        await refusal(page).waitFor();
        await counted(messages(page, "me"), 1); // what comes after it goes on
        const why = await refusal(page).locator("p").innerText();
        assert.ok(why.length > 10 && !/[<>]/.test(why), why);
        await until(async () => (await told()).length === 3);
        assert.deepEqual(await told(), [await word(page, "file_sending"), `page.html: ${why}`, await word(page, "sent")]);
        assert.equal(await refusal(page).locator("button").count(), 1, "the same would be refused again");
        assert.equal(await box(page).inputValue(), "كلمات words");
        assert.equal(await busy(page), false);
        await refusal(page).locator("button").click();
        assert.equal(await pending(page).count(), 0);
        assert.match(await focused(page), /^attach/);
        assert.equal((await filesKept()).length, 1);
      });
    }
  },

  "a file of more than 10 MB is refused before it is sent": () => withPage({}, async (page) => {
    await open(page, "/?lang=en");
    const told = await listen(page);
    let asked = 0;
    page.on("request", (request) => { if (/\/chat\/(files|sessions)/.test(request.url())) asked += 1; });
    await choose(page, file("film.mp4", Buffer.alloc(10_000_001), "video/mp4"));
    await refusal(page).waitFor();
    assert.equal(await refusal(page).locator("p").innerText(), "The file is larger than 10 MB. Please send a smaller copy, or a photo of it.");
    assert.deepEqual(await told(), [`film.mp4: ${await word(page, "error_file_too_large")}`]);
    assert.equal(asked, 0);
    await refusal(page).locator("button").click();
    await choose(page, file("text.txt", Buffer.alloc(10_000_000, "a "), "text/plain"));
    await until(async () => (await filesKept()).length === 1, 20);
    assert.equal((await filesKept())[0].size, 10_000_000, "10 MB are taken");
  }),

  "offline: a file is kept and goes when the network is back; leaving the page is asked about": () => withPage({}, async (page, context) => {
    await open(page);
    await write(page, "قبل");
    await counted(messages(page, "them"), 1);
    await context.setOffline(true);
    const told = await listen(page);
    await box(page).fill("نصف جملة");
    await choose(page, file("1.png"), file("2.png"));
    await until(async () => /waiting/.test(await pending(page).first().getAttribute("class")));
    assert.equal(await page.locator("sawt-chat .status").innerText(), await word(page, "offline"));
    assert.equal(await busy(page), false);
    assert.ok((await told()).filter((each) => each.includes(".png")).length === 0);
    const leaves = () => page.evaluate(() => window.dispatchEvent(new Event("beforeunload", { cancelable: true })));
    assert.equal(await leaves(), false);
    await context.setOffline(false);
    await until(async () => (await filesKept()).length === 2);
    assert.deepEqual((await filesKept()).map((each) => each.name), ["1.png", "2.png"]);
    await counted(messages(page, "me"), 3);
    assert.deepEqual(await texts(messages(page, "me")), ["قبل", "📎", "📎"]);
    await until(() => page.locator("sawt-chat .status").isHidden());
    assert.equal(await box(page).inputValue(), "نصف جملة");
    assert.equal(await leaves(), true);
  }),

  "a file whose answer got lost, or that the desk could not take yet, arrives once": () => withPage({}, async (page) => {
    await open(page, "/?lang=en");
    let tries = 0;
    const ids = new Set();
    await page.route("**/chat/files", async (route) => {
      tries += 1;
      ids.add(/name="id"\r\n\r\n(\S+)/.exec(route.request().postDataBuffer().toString("latin1"))[1]);
      if (tries === 1) return route.fulfill({ status: 503, headers: { "Retry-After": "1" }, body: "{}" });
      if (tries === 2) return route.abort("connectionreset");
      await route.fetch();
      return route.abort("connectionreset");
    });
    await choose(page, file("once.png"));
    await counted(messages(page, "me"), 1);
    await counted(messages(page, "them"), 1);
    await page.waitForTimeout(1500);
    assert.equal(ids.size, 1);
    assert.equal((await filesKept()).length, 1);
    assert.deepEqual(await texts(page.locator("sawt-chat .msg.me")), ["📎"]);
    assert.equal(await busy(page), false);
    await until(() => page.locator("sawt-chat .status").isHidden());
  }),

  "a file that did not get through can be sent again with one press; one that is gone is told": () => withPage({}, async (page) => {
    await open(page, "/?lang=en");
    await page.route("**/chat/files", (route) => route.fulfill({
      status: 408, contentType: "application/json", body: JSON.stringify({ error: { code: "too_slow", text: "Too <i>slow</i>." } }),
    }), { times: 1 });
    await choose(page, file("again.png"));
    await refusal(page).waitFor();
    assert.equal(await refusal(page).locator("p").innerText(), "Too <i>slow</i>.");
    await refusal(page).getByRole("button", { name: "Send" }).click();
    assert.match(await focused(page), /^attach/);
    await counted(messages(page, "me"), 1);
    assert.deepEqual((await filesKept()).map((each) => each.name), ["again.png"]);
    const folder = mkdtempSync(`${tmpdir()}/sawt-`), gone = `${folder}/gone.png`;
    writeFileSync(gone, PNG);
    const way = await hold(page);
    await choose(page, file("first.png"));
    await until(() => busy(page));
    await page.locator("sawt-chat input[type=file]").setInputFiles(gone);
    rmSync(folder, { recursive: true });
    way.go();
    await refusal(page).waitFor();
    assert.equal(await refusal(page).locator("p").innerText(), await word(page, "error_file_unreadable"));
    assert.equal(way.seen.length, 1, "nothing empty is sent in its place");
    assert.equal((await filesKept()).length, 2);
  }),

  "a file outlives the end of its session, and a change of language": () => withPage({}, async (page) => {
    await page.goto(`${BASE}/test/foreign`);
    await page.locator("sawt-chat .launcher").click();
    await write(page, "hello");
    await counted(messages(page, "them"), 1);
    await page.evaluate(() => {
      const held = JSON.parse(localStorage.getItem("sawt.chat"));
      localStorage.setItem("sawt.chat", JSON.stringify({ ...held, token: held.token + "x" }));
    });
    const way = await hold(page);
    await choose(page, file("kept.png"));
    await until(() => busy(page));
    await page.locator("sawt-chat .bar [data-lang=ar]").click();
    await counted(pending(page), 1);
    assert.equal(await attach(page).getAttribute("aria-label"), "إرفاق صورة أو ملف");
    way.go();
    await until(async () => (await filesKept()).length === 1);
    assert.equal((await kept()).length, 2, "a new session");
    await until(async () => (await texts(page.locator("sawt-chat .msg.me"))).includes("📎"));
    assert.equal(await pending(page).count(), 0);
    assert.equal(new Set(way.seen).size, 1);
  }),

  "a large file on a slow line tells how far it is": () => withPage({}, async (page, context) => {
    await open(page, "/?lang=en");
    const devtools = await context.newCDPSession(page);
    await devtools.send("Network.enable");
    await devtools.send("Network.emulateNetworkConditions", { offline: false, latency: 20, downloadThroughput: -1, uploadThroughput: 300_000 });
    await choose(page, file("large.txt", Buffer.alloc(900_000, "a "), "text/plain"));
    const seen = new Set();
    await until(async () => {
      const shown = /(\d+)%/.exec(await page.locator("sawt-chat .msg.me .state").first().innerText());
      if (shown) seen.add(Number(shown[1]));
      return (await filesKept()).length === 1;
    }, 12);
    assert.ok(seen.size > 2 && Math.max(...seen) < 100, [...seen].join());
    await until(async () => !(await page.locator("sawt-chat .msg.me .state").first().innerText()).includes("%"));
  }),

  "the paper clip is reached, named and pressed with the keyboard": async () => {
    for (const [lang, name] of [["ar", "إرفاق صورة أو ملف"], ["en", "Attach a photo or file"], ["zh", "添加图片或文件"]]) {
      await withPage({}, async (page) => {
        await open(page, `/?lang=${lang}`);
        assert.equal(await page.getByRole("button", { name, exact: true }).count(), 1);
        page.on("filechooser", () => {}); // as long as somebody listens, no chooser of the system is opened instead
        await box(page).focus();
        await page.keyboard.press("Shift+Tab");
        assert.match(await focused(page), /^attach/);
        const shown = await attach(page).evaluate((button) => {
          const style = getComputedStyle(button);
          return [style.outlineStyle, style.outlineWidth, style.outlineColor];
        });
        assert.deepEqual(shown, ["solid", "3px", "rgb(15, 92, 58)"]);
        for (const key of ["Enter", "Space"]) {
          const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.keyboard.press(key)]);
          assert.equal(chooser.isMultiple(), true);
          assert.match(await chooser.element().getAttribute("accept"), /image\/jpeg/);
          await chooser.setFiles(file(`${key}.png`));
          assert.match(await focused(page), /^attach/);
          await until(async () => (await filesKept()).some((each) => each.name === `${key}.png`));
        }
        await page.keyboard.press("Tab");
        assert.equal(await page.evaluate(() => document.activeElement.shadowRoot.activeElement.id), "text");
        assert.equal(await page.getByRole("button", { name, exact: true }).count(), 1, "its name does not change");
      });
    }
  },

  "axe finds nothing, in three languages, on every page and state": async () => {
    for (const lang of ["ar", "en", "zh"]) {
      await withPage({ bypassCSP: true }, async (page) => { // axe writes inline styles of its own while it measures
        await open(page, `/?lang=${lang}`);
        await axe(page, `${lang} empty`);
        await write(page, "مرحبا hello 你好");
        await counted(messages(page, "them"), 1);
        await messages(page, "them").first().locator("button").first().click();
        await counted(messages(page, "them"), 2);
        await control("tell", { text: "https://example.test/", kind: "message" });
        await control("tell", { text: "status", kind: "status" });
        await control("typing", { on: true });
        await page.locator("sawt-chat .typing").waitFor({ state: "visible" });
        await axe(page, `${lang} talking`);
        await page.route("**/chat/messages", (route) => route.fulfill({ status: 422, body: "{}" }));
        await write(page, "refused");
        await page.locator("sawt-chat .refusal").waitFor();
        await page.route("**/chat/messages", (route) => route.abort());
        await write(page, "waiting");
        await until(() => page.locator("sawt-chat .status").isVisible());
        await axe(page, `${lang} troubled`);
        await choose(page, HTML);
        await refusal(page).nth(1).waitFor();
        const way = await hold(page);
        await choose(page, file("a.png"));
        await until(() => busy(page));
        await axe(page, `${lang} with files`);
        way.go();
        await until(async () => (await filesKept()).length === 1);
        for (const path of ["privacy", "help"]) {
          await page.goto(`${BASE}/${path}?lang=${lang}`);
          await axe(page, `${lang} ${path}`);
        }
        await page.unrouteAll();
        await page.goto(`${BASE}/test/foreign`);
        await page.locator("sawt-chat .launcher").click();
        await write(page, "hello");
        await axe(page, `${lang} embedded`);
      });
    }
  },

  "fits 320 to 1440 px without scrolling sideways; targets are large": async () => {
    for (const [width, height] of [[320, 256], [320, 560], [360, 740], [768, 1024], [1440, 900]]) {
      for (const lang of ["ar", "en", "zh"]) {
        await withPage({ viewport: { width, height } }, async (page) => {
          await open(page, `/?lang=${lang}`);
          await write(page, "كلمة " + "طويلة".repeat(40) + " https://example.test/" + "a".repeat(200));
          await counted(messages(page, "them"), 1);
          const wide = await page.evaluate(() => {
            const log = document.querySelector("sawt-chat").shadowRoot.querySelector(".log");
            return [document.documentElement.scrollWidth - innerWidth, log.scrollWidth - log.clientWidth];
          });
          assert.ok(wide[0] <= 0 && wide[1] <= 0, `${width} ${lang}: ${wide}`);
          const small = await page.evaluate(() => {
            const all = [...document.querySelectorAll("nav a"), ...document.querySelector("sawt-chat").shadowRoot.querySelectorAll("button")];
            return all.map((each) => each.getBoundingClientRect()).filter((r) => r.width && (r.height < 43.5 || r.width < 43.5)).length;
          });
          assert.equal(small, 0, `${width} ${lang}: small targets`);
          const way = await hold(page);
          await choose(page, file(`${"long".repeat(30)}.png`), file("film.mp4", Buffer.alloc(10_000_001), "video/mp4"));
          await until(() => busy(page));
          await box(page).fill("كلمات");
          const fits = await page.evaluate(() => {
            const root = document.querySelector("sawt-chat").shadowRoot, form = root.querySelector("form"), log = root.querySelector(".log");
            const at = (what) => root.querySelector(what).getBoundingClientRect();
            const [clip, text, send] = [at(".attach"), at("textarea"), at(".send")];
            return {
              over: [form.scrollWidth - form.clientWidth, log.scrollWidth - log.clientWidth, document.documentElement.scrollWidth - innerWidth],
              row: Math.max(clip.bottom, text.bottom, send.bottom) - Math.min(clip.bottom, text.bottom, send.bottom),
              text: text.width, inside: [clip, send].every((each) => each.left >= 0 && each.right <= innerWidth),
              order: getComputedStyle(form).direction === "rtl" ? clip.left >= text.right && text.left >= send.right : clip.right <= text.left && text.right <= send.left,
              own: [...root.querySelectorAll(".msg.me .text")].map((each) => {
                const own = each.getBoundingClientRect(), all = each.parentNode.getBoundingClientRect();
                return getComputedStyle(form).direction === "rtl" ? own.left - all.left : all.right - own.right;
              }),
            };
          });
          assert.deepEqual(fits.over.filter((each) => each > 0), [], `${width} ${lang}`);
          assert.ok(fits.row < 1 && fits.inside && fits.order, `${width} ${lang}: ${JSON.stringify(fits)}`);
          assert.ok(fits.text >= 140, `${width} ${lang}: ${fits.text} px to write in`);
          assert.ok(fits.own.every((each) => Math.abs(each) < 1), `${width} ${lang}: bubbles at their side: ${fits.own}`);
          way.go();
          await until(async () => (await filesKept()).length === 1);
          await box(page).scrollIntoViewIfNeeded();
          if (PICTURES) await page.screenshot({ path: `${PICTURES}/chat-${width}x${height}-${lang}.png` });
        });
      }
    }
  },

  "reduced motion and forced colours are honoured": () => withPage({ reducedMotion: "reduce", forcedColors: "active" }, async (page) => {
    await open(page);
    await write(page, "هدوء");
    await counted(messages(page, "them"), 1);
    await control("typing", { on: true });
    await page.locator("sawt-chat .typing").waitFor({ state: "visible" });
    const moves = await page.locator("sawt-chat .dot").first().evaluate((dot) => getComputedStyle(dot).animationName);
    assert.equal(moves, "none");
    if (PICTURES) await page.screenshot({ path: `${PICTURES}/chat-forced.png` });
  }),

  "the first load is small, ours alone, and quick on a slow line": () => withPage({}, async (page, context) => {
    const devtools = await context.newCDPSession(page);
    await devtools.send("Network.enable");
    await devtools.send("Network.emulateNetworkConditions",
      { offline: false, latency: 400, downloadThroughput: 50_000, uploadThroughput: 50_000 });
    let bytes = 0;
    devtools.on("Network.loadingFinished", (done) => { bytes += done.encodedDataLength; });
    const begun = Date.now();
    await open(page);
    const took = Date.now() - begun;
    await page.waitForTimeout(600);
    console.log(`   first load: ${bytes} bytes over the wire, usable after ${took} ms at 400 kbit/s and 400 ms`);
    assert.ok(bytes < 60_000 && bytes > 5_000, `${bytes} bytes`);
    assert.ok(took < 3_000, `${took} ms`);
    assert.ok(gzipSync(await (await fetch(`${BASE}/widget.js`)).text()).length < 30_000);
  }),

  "without JavaScript the page says so": () => withPage({ javaScriptEnabled: false }, async (page) => {
    await page.goto(`${BASE}/?lang=en`);
    await page.locator(".noscript").waitFor();
  }),
};

try {
  await runAll(CHECKS, ONLY);
} finally {
  await browser.close();
}
