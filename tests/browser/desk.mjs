// The staff's pages in a real browser. node desk.mjs BASE [part of a name] [folder for pictures]
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { runAll, start } from "./browser.mjs";

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const [BASE, ONLY, PICTURES] = process.argv.slice(2);
const PASSWORD = "correct horse battery";
const browser = await start();

// A fresh browser for each check; a script error, a CSP report or a request to elsewhere is a failure of it.
async function withPage(options, check) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (line) => { if (/Content Security|Refused to/.test(line.text())) wrong.push(line.text()); });
  page.on("request", (request) => { if (!/^(data:|blob:)/.test(request.url()) && !request.url().startsWith(BASE)) wrong.push(`external: ${request.url()}`); });
  try {
    await check(page, context);
    assert.deepEqual(wrong, []);
  } finally {
    await context.close();
  }
}

async function signIn(page, who = "agent2") {
  await page.goto(`${BASE}/desk/login`);
  await page.fill("#email", `${who}@example.test`);
  await page.fill("#password", PASSWORD);
  await page.click(".main-button");
  await page.waitForURL(/\/desk(\/people)?$/); // the work of who runs the accounts is elsewhere
}

async function picture(page, name) {
  if (PICTURES) await page.screenshot({ path: `${PICTURES}/${name}.png`, fullPage: true });
}

async function accessible(page, what) {
  await page.evaluate(AXE);  // not a script tag: our CSP would refuse it, as it should
  const told = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
  assert.deepEqual(told.violations.map((v) => `${what}: ${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`), []);
}

const wide = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
const focused = (page) => page.evaluate(() => {
  const it = document.activeElement;
  return it.id || it.getAttribute("href") || it.textContent.trim();
});

// Every page and state of the desk, to be seen by whom (the supervisor, where nobody is named). A new page is a line here.
// `path` is where it is; `then` brings it into its state; `who` null is nobody signed in.
const PAGES = [
  { name: "login", path: "/desk/login", who: null },
  { name: "login-refused", path: "/desk/login", who: null, then: refusedSignIn },
  { name: "session-over", path: "/desk/tickets/6000000000", who: null },
  { name: "list", path: "/desk?view=all&state=any" },
  { name: "list-filtered", path: "/desk?view=all&state=any&q=%D8%BA%D8%A7%D8%B2" },
  { name: "empty", path: "/desk?view=mine" },
  { name: "empty-filtered", path: "/desk?view=all&q=qqqq" },
  { name: "ticket", path: "/desk?view=all&state=any&kind=suggestion", then: firstTicket },
  { name: "ticket-unfolded", path: "/desk?view=all&state=any&kind=suggestion", then: unfolded },
  { name: "ticket-read-only", path: "/desk?view=all&state=any", who: "oversight", then: firstTicket },
  { name: "ticket-confidential", path: "/desk?view=unit&state=any&category=integrity", who: "agent2", then: firstTicket },
  { name: "refused-form", path: "/desk?view=all&state=any&kind=suggestion", then: refusedForm },
  { name: "done", path: "/desk?view=unit", who: "agent2", then: noteDone },
  { name: "questions", path: "/desk/questions?days=90" },
  { name: "questions-none", path: "/desk/questions?days=90", who: "audit" },
  { name: "channels", path: "/desk/channels" },
  { name: "channels-admin", path: "/desk/channels", who: "admin" },
  { name: "forbidden", path: "/desk", who: "admin" },
  { name: "unknown", path: "/desk/tickets/6000000000" },
  { name: "list-more-filters", path: "/desk?view=all&state=any&language=ar" },
  { name: "handover", path: "/desk/handover", who: "supervisor" },
  { name: "new-contact", path: "/desk/new" },
  { name: "same-cause", path: "/desk?view=all&state=any&kind=complaint", then: sameCause },
  { name: "audit", path: "/desk/audit", who: "oversight" },
  { name: "people", path: "/desk/people", who: "admin" },
  { name: "people-new", path: "/desk/people/new", who: "admin" },
  { name: "me", path: "/desk/me" },
  { name: "second-factor", path: "/desk/me/second-factor" },
  { name: "help", path: "/desk/help" },
  { name: "help-chapter", path: "/desk/help#verbs" },
];
const LOOKS = [["ar", 1440], ["ar", 360], ["en", 1440], ["en", 360]];

async function refusedSignIn(page) {
  await page.fill("#email", "nobody@example.test");
  await page.fill("#password", "wrong");
  await page.click(".main-button");
  await page.waitForSelector(".alert.bad");
}

async function firstTicket(page) {
  await page.click("a.matter");
  await page.waitForSelector("ol.history");
}

async function sameCause(page) {
  await firstTicket(page);
  await page.goto(`${page.url().split("?")[0]}/incident`);
}

async function unfolded(page) {
  await firstTicket(page);
  await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
}

async function refusedForm(page) {
  await unfolded(page);
  await page.evaluate(() => document.querySelectorAll("details.transfer [required]").forEach((f) => f.removeAttribute("required")));
  await page.click("details.transfer button");
  await page.waitForSelector(".alert.bad");
}

async function noteDone(page) {
  await firstTicket(page);
  await page.fill("#note-text", "ملاحظة");
  await page.click(".box.note button");
  await page.waitForSelector("#status.good");
}

const checks = {
  // WCAG 2.2 A and AA, at the widths that count; nothing is wider than the screen; nobody else is asked for anything.
  ...Object.fromEntries(LOOKS.map(([language, width]) => [
    `every page and state is accessible and fits: ${language} ${width} px`,
    async () => {
      for (const who of new Set(PAGES.map((p) => (p.who === undefined ? "supervisor" : p.who)))) {
        await withPage({ viewport: { width, height: 800 } }, async (page) => {
          await page.goto(`${BASE}/desk/login?lang=${language}`);
          if (who) await signIn(page, who);
          for (const { name, path, then } of PAGES.filter((p) => (p.who === undefined ? "supervisor" : p.who) === who)) {
            await page.goto(`${BASE}${path}`);
            if (then) await then(page);
            assert.equal(await page.getAttribute("html", "lang"), language, name);
            const shown = `${name} ${language} ${width}`;
            assert.ok((await wide(page)) <= 0, `${shown} is wider than the screen`);
            assert.equal(await page.locator("h1").count(), 1, `${shown} has one first heading`);
            await picture(page, `${name}-${language}-${width}`);
            await accessible(page, shown);
          }
        });
      }
    },
  ])),

  "photos are seen and recordings heard on the ticket, from our own door": async () => withPage({}, async (page) => {
    await signIn(page, "supervisor");
    await page.goto(`${BASE}/desk?view=all&state=any&kind=suggestion`);
    await page.click("a.matter");
    const photo = page.locator(".file img");
    await photo.scrollIntoViewIfNeeded();
    await page.waitForFunction(() => document.querySelector(".file img").naturalWidth > 0);
    const heard = await page.evaluate(async () => {
      const sound = document.querySelector(".file audio");
      sound.muted = true;
      await sound.play();
      await new Promise((done) => sound.addEventListener("timeupdate", done, { once: true }));
      return sound.duration;
    });
    assert.equal(heard, 1);
  }),

  "a reply by keyboard alone": async () => withPage({}, async (page) => {
    await signIn(page);
    await page.keyboard.press("Tab");
    assert.equal(await focused(page), "#main");
    await page.keyboard.press("Enter");
    let steps = 0;
    const inList = () => page.evaluate(() => document.activeElement.matches("a.matter"));
    while (!(await inList()) && steps++ < 30) await page.keyboard.press("Tab");
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineWidth);
    assert.notEqual(outline, "0px", "the focus is visible");
    const first = await focused(page);
    await page.keyboard.press("j");
    assert.notEqual(await focused(page), first);
    await page.keyboard.press("k");
    await page.keyboard.press("Enter");
    await page.waitForURL(/tickets/);
    for (steps = 0; (await focused(page)) !== "reply-text" && steps < 40; steps++) await page.keyboard.press("Tab");
    assert.equal(await focused(page), "reply-text");
    await page.keyboard.type("صدرت رخصتك اليوم.");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.waitForURL(/done=reply/);
    assert.equal(await focused(page), "status");
    assert.match(await page.textContent("ol.talk"), /صدرت رخصتك اليوم/);
  }),

  "a routine ticket is found, answered and resolved by keyboard alone": async () => withPage({}, async (page) => {
    await signIn(page);
    const press = async (key, times = 1) => { for (let n = 0; n < times; n++) await page.keyboard.press(key); };
    const tabTo = async (id, most = 80) => {
      for (let steps = 0; steps < most; steps++) {
        if ((await focused(page)) === id) return;
        await press("Tab");
      }
      assert.fail(`${id} cannot be reached by Tab`);
    };
    await press("Tab");
    await press("Enter");  // to the content
    await tabTo("q");
    await page.keyboard.type("رخصه الصناعيه شهرين".split(" ")[2]);  // a word of the text, however it was spelled there
    await press("Enter");
    await page.waitForURL(/q=/);
    for (let steps = 0; !(await page.evaluate(() => document.activeElement.matches("a.matter"))) && steps < 60; steps++) await press("Tab");
    assert.match(await page.evaluate(() => document.activeElement.textContent), /شهرين/);
    await press("Enter");
    await page.waitForURL(/tickets/);
    await tabTo("reply-text");
    await page.keyboard.type("وصل ملفك إلى اللجنة اليوم.");
    await press("Tab");
    await press("Enter");
    await page.waitForURL(/done=reply/);
    for (let steps = 0; !(await page.evaluate(() => document.activeElement.matches("details.resolve > summary"))) && steps < 80; steps++) await press("Tab");
    await press("Enter");
    assert.ok(await page.evaluate(() => document.querySelector("details.resolve").open), "Enter unfolds the form");
    await tabTo("resolve-text");
    await page.keyboard.type("صدرت الرخصة.");
    await press("Tab");
    await press("Enter");
    await page.waitForURL(/done=resolve/);
    assert.equal(await focused(page), "status");
    assert.match(await page.textContent("ol.talk"), /صدرت الرخصة/);
  }),

  "without scripts everything works": async () => withPage({ javaScriptEnabled: false }, async (page) => {
    await signIn(page);
    await page.click("a.matter >> nth=1");
    await page.fill("#note-text", "ملاحظة بلا سكربت");
    await page.click(".box.note button");
    await page.waitForURL(/done=note/);
    assert.match(await page.textContent("ol.history"), /ملاحظة بلا سكربت/);
    assert.doesNotMatch(await page.textContent("ol.talk"), /ملاحظة بلا سكربت/);
  }),

  "reply, question and note are told apart at a glance": async () => withPage({}, async (page) => {
    await signIn(page);
    await page.click("a.matter >> nth=2");
    const looks = await page.evaluate(() => ["reply", "ask", "note"].map((verb) => {
      const style = getComputedStyle(document.querySelector(`.box.${verb}`));
      return `${style.borderTopColor} ${style.borderTopStyle} ${style.backgroundColor}`;
    }));
    assert.equal(new Set(looks).size, 3);
  }),

  "who types is told that the ticket changed, and loses nothing": async () => withPage({}, async (page, context) => {
    await page.clock.install();
    await signIn(page);
    await page.click("a.matter >> nth=2");
    await page.fill("#reply-text", "نصف رد");
    const other = await context.newPage();
    await other.goto(page.url());
    await other.fill("#note-text", "ملاحظة زميل");
    await other.click(".box.note button");
    await other.waitForURL(/done=note/);
    await page.clock.fastForward(21_000);
    await page.waitForSelector("#changed:not([hidden])");
    assert.equal(await page.inputValue("#reply-text"), "نصف رد");
    await page.click(".box.reply .main-button");
    await page.waitForSelector(".alert.bad");
    assert.equal(await page.inputValue("#reply-text"), "نصف رد");
    assert.match(await page.textContent(".alert.bad"), /ملاحظة داخلية/);
  }),

  "what is typed is told of, kept, and there again": async () => withPage({}, async (page) => {
    await signIn(page);
    await page.goto(`${BASE}/desk?view=unit&language=ar&state=new`);
    await page.click("a.matter >> nth=0");
    const here = page.url();
    await page.fill("#ask-text", "م".repeat(9000));
    await page.waitForFunction(() => /كما تكتبه/.test(document.querySelector(".box.ask .preview-words").textContent));
    await page.fill("#ask-text", "سؤال في نصفه");
    await page.selectOption("#ask-canned", "answer-call_times");
    await page.click(".box.ask button[value=insert]");
    assert.match(await page.inputValue("#ask-text"), /^سؤال في نصفه\n\nنود أن نتصل بك/);
    assert.equal(await focused(page), "ask-text");
    const kept = page.waitForResponse(/\/draft$/); // leaving the box is enough
    await page.click("#note-text");
    await kept;
    await page.goto(here);
    assert.match(await page.inputValue("#ask-text"), /^سؤال في نصفه\n\nنود أن نتصل بك/);
    await page.click(".box.ask button:not([name])");
    await page.waitForURL(/done=ask/);
    await page.goto(here);
    assert.equal(await page.locator("#ask-text").count(), 0, "it waits for the answer");
  }),
};

await runAll(checks, ONLY);
await browser.close();
