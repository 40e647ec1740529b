// Takes the handbook's pictures of a house with the demo month. node docs/screenshots.mjs BASE FOLDER [all]
// `all`: every page at 360, 768 and 1440 px in both languages instead, to be looked at.
import { start } from "../tests/browser/browser.mjs";

const [BASE, FOLDER, ALL] = process.argv.slice(2);
const PASSWORD = "a-seed-password";
const WIDTHS = [360, 768, 1440];
const browser = await start();

async function signedIn(language, who, viewport) {
  const context = await browser.newContext({ viewport, deviceScaleFactor: 1 });
  const page = await context.newPage();
  await page.goto(`${BASE}/desk/login?lang=${language}`);
  await page.fill("#email", `${who}@example.test`);
  await page.fill("#password", PASSWORD);
  await page.click(".main-button");
  await page.waitForURL(/\/desk(\?.*)?$/);
  return page;
}

// The first ticket of a list that has what is looked for.
async function open(page, list, wanted) {
  await page.goto(`${BASE}${list}`);
  const links = await page.locator("a.matter").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
  for (const link of links) {
    await page.goto(`${BASE}${link}`);
    if (await wanted(page)) return;
  }
  throw new Error(`no ticket of ${list} has what is wanted`);
}

async function take(page, name, clip) {
  await page.evaluate(() => document.activeElement && document.activeElement.blur());
  if (clip) await clip.screenshot({ path: `${FOLDER}/${name}.png` });
  else await page.screenshot({ path: `${FOLDER}/${name}.png` });
}

async function handbook(language) {
  const page = await signedIn(language, "supervisor", { width: 1100, height: 640 });
  await page.goto(`${BASE}/desk?view=all`);
  const seen = page.locator(".notices form button");
  if (await seen.count()) await seen.click();
  await page.goto(`${BASE}/desk?view=all`);
  await take(page, `list-${language}`);
  const spoken = (wanted) => async (p) => (await p.locator(".talk .delivery").count()) >= 3 && (await p.locator(".box").count()) === 3 && wanted(p);
  await open(page, "/desk?view=all&kind=complaint", spoken(async () => true));
  await page.setViewportSize({ width: 1100, height: 760 });
  await take(page, `ticket-${language}`);
  const boxes = await page.locator(".box").all();
  const [first, last] = [await boxes[0].boundingBox(), await boxes[boxes.length - 1].boundingBox()];
  const y = await page.evaluate(() => window.scrollY);
  await page.setViewportSize({ width: 1100, height: 1600 });
  const work = page.locator("#work");
  await work.scrollIntoViewIfNeeded();
  const [a, b] = [await boxes[0].boundingBox(), await boxes[boxes.length - 1].boundingBox()];
  await page.screenshot({ path: `${FOLDER}/boxes-${language}.png`, clip: { x: a.x - 8, y: a.y - 8, width: a.width + 16, height: b.y + b.height - a.y + 16 } });
  await page.click("details.transfer summary");
  await take(page, `transfer-${language}`, page.locator("details.transfer"));
  await open(page, "/desk?view=all&state=resolved", async (p) => /واتساب|WhatsApp/.test(await p.textContent("aside")) && (await p.locator(".talk .delivery").count()) >= 3);
  await page.evaluate(() => { document.querySelector(".talk").style.maxBlockSize = "none"; });
  await page.setViewportSize({ width: 1100, height: 1400 });
  const lines = await page.locator(".talk > li").all();
  const tail = lines.slice(-3);
  const [top, end] = [await tail[0].boundingBox(), await tail[tail.length - 1].boundingBox()];
  const box = await page.locator(".talk").boundingBox();
  await page.evaluate((by) => window.scrollBy(0, by), top.y - 40);
  const [top2, end2] = [await tail[0].boundingBox(), await tail[tail.length - 1].boundingBox()];
  await page.screenshot({ path: `${FOLDER}/delivery-${language}.png`, clip: { x: box.x - 4, y: top2.y - 8, width: box.width + 8, height: Math.min(end2.y + end2.height - top2.y + 16, 700) } });
  await page.setViewportSize({ width: 1100, height: 640 });
  await page.goto(`${BASE}/desk/channels`);
  await take(page, `channels-${language}`);
  await page.setViewportSize({ width: 360, height: 640 });
  await page.goto(`${BASE}/desk?view=all`);
  await page.locator(".tickets").scrollIntoViewIfNeeded();
  await page.evaluate(() => document.querySelector(".views").scrollIntoView());
  await take(page, `phone-${language}`);
  await page.context().close();
}

async function everything(language) {
  for (const width of WIDTHS) {
    const page = await signedIn(language, "supervisor", { width, height: 800 });
    const pages = { list: "/desk?view=all", empty: "/desk?view=mine", questions: "/desk/questions", channels: "/desk/channels", help: "/desk/help", unknown: "/desk/tickets/6000000000" };
    for (const [name, path] of Object.entries(pages)) {
      await page.goto(`${BASE}${path}`);
      await page.screenshot({ path: `${FOLDER}/${name}-${language}-${width}.png`, fullPage: true });
    }
    await open(page, "/desk?view=all&kind=complaint", async (p) => (await p.locator(".talk .delivery").count()) >= 2);
    await page.screenshot({ path: `${FOLDER}/ticket-${language}-${width}.png`, fullPage: true });
    await page.context().close();
  }
}

for (const language of ["ar", "en"]) await (ALL ? everything(language) : handbook(language));
await browser.close();
