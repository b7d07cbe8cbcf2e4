import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { test } from "../_support/leaks.ts";
import { ROOT, scratchFolder } from "../_support/scratch.ts";

const MAIN = fromFileUrl(new URL("bench/peers/main.ts", ROOT));

/** The part of the record that the test reads. */
interface Record {
  readonly cases: {
    readonly [name: string]: {
      readonly contestant: string;
      readonly figures: { readonly rate?: readonly number[] };
      readonly failed?: string;
    }[];
  };
}

function runBenchmark(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return runWith({}, "--quick", ...args);
}

async function runWith(
  env: { [name: string]: string },
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      MAIN,
      "--runtime",
      "deno",
      ...args,
    ],
    cwd: fromFileUrl(ROOT),
    env: { NO_COLOR: "1", ...env },
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

test(
  "bench:peers measures a case by hand and with this package, and writes table and record",
  {
    timeout: 60_000,
  },
  async () => {
    await using scratch = await scratchFolder();
    const file = await scratch.write("record.json", "");
    const who = ["--contestant", "raw-web", "--contestant", "ours-threads"];
    const { code, out, err } = await runBenchmark(
      "--case",
      "burst",
      ...who,
      "--record",
      file,
    );
    assertEquals(code, 0, err);
    assertMatch(out, /^\| ThreadPoolExecutor +\| +[\d,.]+(?: M)?\/s \|$/m);
    assertMatch(out, /^\| postMessage, web +\| +[\d,.]+(?: M)?\/s \|$/m);
    const { cases } = JSON.parse(await Deno.readTextFile(file)) as Record;
    assertEquals(cases.burst.map(({ contestant }) => contestant), [
      "ours-threads",
      "raw-web",
    ]);
    for (const { figures, failed } of cases.burst) {
      assertEquals(failed, undefined);
      assert(figures.rate!.length === 1 && figures.rate![0] > 0);
    }
  },
);

test("bench:peers names the contestants there are when it is asked for another", async () => {
  const { code, err } = await runBenchmark("--contestant", "nobody");
  assertEquals(code, 2);
  assertMatch(
    err,
    /Cannot run contestant "nobody": there is none; give one of .*raw-web/,
  );
});

test(
  "bench:peers leaves the page of all cases as it is when only a part is run, and needs no npm",
  { timeout: 60_000 },
  async () => {
    await using scratch = await scratchFolder();
    const record = await scratch.write("record.json", "");
    const page = new URL("docs/peers.md", ROOT);
    const before = await Deno.readTextFile(page);
    const who = ["--contestant", "ours-threads", "--contestant", "comlink"];
    const part = ["--case", "single", "--rounds", "1", "--record", record];
    const { code, err } = await runWith({ PATH: "" }, ...who, ...part);
    const after = await Deno.readTextFile(page);
    if (after !== before) await Deno.writeTextFile(page, before);
    assertEquals(code, 0, err);
    assertEquals(after, before);
  },
);
