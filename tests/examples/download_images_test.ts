import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { namesOf } from "../../examples/download_images.ts";
import { test } from "../_support/leaks.ts";
import { scratchFolder } from "../_support/scratch.ts";
import { assertInTime, withTimeLimit } from "../_support/time_limits.ts";
import {
  assertRefuses,
  codeAfterSignal,
  documentedPermissions,
  folderIn,
  namesIn,
  parseOutput,
  PHOTO_NAMES,
  sizeOf,
  SMALL_SIZES,
  TIMEOUT_MS,
  VERY_SLOW,
} from "./_photos.ts";
import { runExample } from "./_support.ts";

const WAYS = ["one by one", "AsyncExecutor", "ThreadPoolExecutor"];

/** The bytes that the servers here send. */
const BYTES = new Uint8Array(50_000).map((_, i) => i % 251);
/** How many of these bytes the bad servers send. */
const SENT = 20_000;

const OK = `HTTP/1.1 200 OK\r\nContent-Length: ${BYTES.length}\r\nConnection: close\r\n\r\n`;

/**
 * A server that does what the path of the address says; it writes HTTP by hand, as real servers do
 * not break off at will.
 */
function startServer(): { url: string } & AsyncDisposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const serve = async (conn: Deno.Conn) => {
    open.add(conn);
    try {
      const path = await readPath(conn);
      if (path.startsWith("/missing")) {
        await write(
          conn,
          "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
      } else if (path.startsWith("/silent")) {
        return; // The connection stays open.
      } else {
        await write(conn, OK);
        const isWhole = path.startsWith("/good");
        await write(conn, isWhole ? BYTES : BYTES.subarray(0, SENT));
        if (path.startsWith("/stalled")) return;
      }
      open.delete(conn);
      conn.close();
    } catch {
      // The other side has gone.
    }
  };
  const accepting = (async () => {
    for await (const conn of listener) serve(conn);
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      for (const conn of open) {
        try {
          conn.close();
        } catch {
          // Its handler has already closed it.
        }
      }
    },
  };
}

async function readPath(conn: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(4096);
  let text = "";
  while (!text.includes("\r\n\r\n")) {
    const read = await conn.read(buffer);
    if (read === null) throw new Error("no request");
    text += new TextDecoder().decode(buffer.subarray(0, read));
  }
  return text.split(" ")[1];
}

async function write(conn: Deno.Conn, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** An address where nobody listens. */
function deadUrl(): string {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return `http://127.0.0.1:${listener.addr.port}/nobody.jpg`;
}

test(
  "download_images.ts fetches all photos each way with the permissions that it names, and leaves nothing behind",
  VERY_SLOW,
  async () => {
    await using scratch = await scratchFolder();
    const folder = await folderIn(scratch, "temporary");
    const { code, stdout, stderr } = await runExample("download_images", {
      args: ["--small"],
      permissions: await documentedPermissions("download_images"),
      env: { TMPDIR: folder },
      timeoutMs: TIMEOUT_MS,
    });
    assertEquals([code, stderr], [0, ""]);
    const { rows, others } = parseOutput(stdout);
    assertEquals(others[0], "Painting 15 photos");
    assertMatch(others[1], /^15 photos, 8 workers, [\d.]+ s and then [\d.]+ MB\/s for each$/);
    assertEquals(rows.map(({ name }) => name), WAYS);
    assertEquals(new Set(rows.map(({ remark }) => remark)).size, 1);
    assertMatch(rows[0].remark, /^15 files, \d+\.\d MB$/);
    assertEquals(namesIn(folder), []);
  },
);

test(
  "download_images.ts --into keeps the photos, and --trace draws a timeline",
  VERY_SLOW,
  async () => {
    await using scratch = await scratchFolder();
    const folder = await folderIn(scratch, "photos");
    const trace = `${folder}.svg`;
    const { code, stderr } = await runExample("download_images", {
      args: ["--small", "--workers", "3", "--into", folder, "--trace", trace],
      timeoutMs: TIMEOUT_MS,
    });
    assertEquals([code, stderr], [0, ""]);
    assertEquals(namesIn(folder), PHOTO_NAMES);
    const sizes = PHOTO_NAMES.map((name) => sizeOf(`${folder}/${name}`));
    assertEquals(sizes, PHOTO_NAMES.map((_, i) => SMALL_SIZES[i % SMALL_SIZES.length]));
    const picture = await Deno.readTextFile(trace);
    assert(picture.startsWith("<svg"), picture.slice(0, 80));
    assertStringIncludes(picture, "AsyncExecutor");
    assertStringIncludes(picture, "3 workers");
    assertStringIncludes(picture, "15 tasks");
  },
);

test(
  "download_images.ts reports what cannot be fetched, and fetches the rest",
  VERY_SLOW,
  async () => {
    await withTimeLimit(1000, async (timeoutMs) => {
      await using scratch = await scratchFolder();
      await using server = startServer();
      const folder = await folderIn(scratch, "fetched");
      const dead = deadUrl();
      const limit = `${timeoutMs / 1000}`;
      const paths = ["good-1.jpg", "missing.jpg", "torn.jpg", "good-2.jpg", "silent.jpg"];
      const urls = [...paths, "stalled.jpg", "good-3.jpg"].map((path) => `${server.url}/${path}`);
      const { code, stdout, stderr } = await runExample("download_images", {
        args: ["--timeout", limit, "--into", folder, ...urls, dead],
        permissions: await documentedPermissions("download_images"),
        timeoutMs: TIMEOUT_MS,
      });
      // From the other servers something comes in time, unless the machine stalls.
      const late = /(good-\d|missing|torn|nobody)\.jpg: .*nothing came|stalled\.jpg: nothing came/;
      assertInTime(!late.test(stderr));
      assertEquals(code, 1);
      const { rows, others } = parseOutput(stdout);
      assertEquals(others, [`8 files, 8 workers, into ${folder}`]);
      assertEquals(rows, WAYS.map((name) => ({ name, remark: "3 files, 0.1 MB" })));

      const reports = [
        `${server.url}/missing.jpg: 404 Not Found`,
        `${server.url}/torn.jpg: broke off after ${SENT} of ${BYTES.length} bytes: `,
        `${server.url}/silent.jpg: nothing came for ${limit} s`,
        `${server.url}/stalled.jpg: broke off after ${SENT} of ${BYTES.length} bytes: nothing came for ${limit} s`,
        `${dead}: client error (Connect): `,
      ];
      const lines = stderr.trimEnd().split("\n");
      assertEquals(lines.length, WAYS.length * reports.length, stderr);
      lines.forEach((line, i) => {
        const report = reports[i % reports.length];
        assertEquals(line.slice(0, report.length), report);
      });

      assertEquals(namesIn(folder), ["good-1.jpg", "good-2.jpg", "good-3.jpg"]);
      for (const name of namesIn(folder)) {
        assertEquals(await Deno.readFile(`${folder}/${name}`), BYTES);
      }
    });
  },
);

test("download_images.ts leaves no half of a file when it is interrupted", VERY_SLOW, async () => {
  await using scratch = await scratchFolder();
  await using server = startServer();
  const folder = await folderIn(scratch, "fetched");
  const isStalled = () => {
    const [parts, good] = namesIn(folder);
    return good === "good.jpg" && namesIn(`${folder}/${parts}`).length > 0;
  };
  for (const [signal, expected] of [["SIGHUP", 129], ["SIGINT", 130]] as const) {
    const code = await codeAfterSignal("download_images", {
      args: ["--into", folder, `${server.url}/good.jpg`, `${server.url}/stalled.jpg`],
      signal,
      isReady: isStalled,
    });
    assertEquals([code, namesIn(folder)], [expected, ["good.jpg"]]);
    await Deno.remove(`${folder}/good.jpg`);
  }
});

test(
  "download_images.ts writes each file apart from the others and from what is there",
  VERY_SLOW,
  async () => {
    await withTimeLimit(1000, async (timeoutMs) => {
      await using scratch = await scratchFolder();
      await using server = startServer();
      const folder = await folderIn(scratch, "fetched");
      await Deno.writeTextFile(`${folder}/good.jpg.part`, "mine");
      const longest = `good-${"x".repeat(246)}.jpg`;
      const paths = ["stalled.jpg", "good/stalled.jpg.part", "good.jpg", longest];
      const { code, stderr } = await runExample("download_images", {
        args: [
          ...["--timeout", `${timeoutMs / 1000}`, "--into", folder],
          ...paths.map((path) => `${server.url}/${path}`),
        ],
        timeoutMs: TIMEOUT_MS,
      });
      assertInTime(!/good.*: .*nothing came/.test(stderr));
      assertEquals(code, 1);
      assertEquals(stderr.match(/^.*jpg/gm), WAYS.map(() => `${server.url}/stalled.jpg`));
      const whole = ["good.jpg", longest, "stalled.jpg.part"];
      assertEquals(namesIn(folder), [...whole, "good.jpg.part"].sort());
      for (const name of whole) assertEquals(await Deno.readFile(`${folder}/${name}`), BYTES);
      assertEquals(await Deno.readTextFile(`${folder}/good.jpg.part`), "mine");
    });
  },
);

test("download_images.ts removes its own photos when it is ended", VERY_SLOW, async () => {
  await using scratch = await scratchFolder();
  const folder = await folderIn(scratch, "temporary");
  const code = await codeAfterSignal("download_images", {
    args: [],
    env: { TMPDIR: folder },
    signal: "SIGTERM",
    isReady: () => namesIn(folder).some((name) => name.startsWith("photos-")),
  });
  assertEquals([code, namesIn(folder)], [143, []]);
});

test("download_images.ts does not overwrite a file that is there", VERY_SLOW, async () => {
  await using scratch = await scratchFolder();
  const folder = await folderIn(scratch, "fetched");
  await Deno.writeTextFile(`${folder}/photo-03.jpg`, "mine");
  const url = "http://127.0.0.1/photo-03.jpg";
  for (const args of [["--small", "--into", folder], ["--into", folder, url]]) {
    const result = await runExample("download_images", { args, env: { TMPDIR: folder } });
    assertRefuses(result, /^Cannot write .*\/photo-03\.jpg: it is there already; name another /);
  }
  assertEquals(namesIn(folder), ["photo-03.jpg"]);
  assertEquals(await Deno.readTextFile(`${folder}/photo-03.jpg`), "mine");
});

test("download_images.ts refuses what it does not understand", VERY_SLOW, async () => {
  const refused: [args: string[], message: RegExp][] = [
    [["photo.jpg"], /^"photo.jpg" is not an address that begins with http:\/\/ or https:\/\/$/m],
    [["file:///etc/hosts"], /^"file:\/\/\/etc\/hosts" is not an address/],
    [["--workers", "0"], /^--workers must be an integer from 1 to 255, got "0"$/m],
    [["--timeout", "soon"], /^--timeout must be a number of seconds, .*, got "soon"$/m],
    [["--trace", "a.png"], /^--trace must be .* \.svg, \.html or \.json, got "a.png"$/m],
    [["--into="], /^--into must be the name of a folder$/m],
    [["--bogus"], /--bogus/],
  ];
  for (const [args, message] of refused) {
    assertRefuses(await runExample("download_images", { args }), message);
  }
});

test("download_images.ts --help says what the options are", VERY_SLOW, async () => {
  const { code, stdout, stderr } = await runExample("download_images", { args: ["--help"] });
  assertEquals([code, stderr], [0, ""]);
  for (const option of ["--workers", "--timeout", "--into", "--trace", "--small", "--help"]) {
    assertMatch(stdout, new RegExp(`^  ${option} `, "m"));
  }
});

test("namesOf() makes a name for a file of each address, and no two the same", () => {
  const names = (...paths: string[]) => namesOf(paths.map((path) => `http://a.example/${path}`));
  assertEquals(names("x/a.jpg", "b.png?size=3#top"), ["a.jpg", "b.png"]);
  assertEquals(names("", "x/"), ["index", "index-2"]);
  assertEquals(names("a.jpg", "x/a.jpg", "A.JPG"), ["a.jpg", "a-2.jpg", "A-3.JPG"]);
  assertEquals(names("a%20b.jpg", "caf%C3%A9.jpg", "100%"), ["a b.jpg", "café.jpg", "100%"]);
  assertEquals(names("..%2F..%2Fetc%2Fhosts", ".bashrc", "a:b%00c"), [
    "_.._etc_hosts",
    "bashrc",
    "a_b_c",
  ]);
});
