/**
 * Processes on Deno: `node:child_process` with an ipc channel on which frames of bytes go to and fro.
 *
 * Frames are `Uint8Array`s and nothing else: a value that the channel cannot clone would destroy it.
 *
 * @module
 */

import { builtin, type NodeChildProcess } from "./_node_modules.ts";
import type {
  ChildProcess,
  FrameChannel,
  Permission,
  PermissionKind,
  ProcessEnd,
  ProcessOptions,
} from "./mod.ts";

const KINDS: readonly PermissionKind[] = [
  "read",
  "write",
  "net",
  "env",
  "run",
  "sys",
  "ffi",
  "import",
];

/** Turns of the event loop without a frame after which a process that has ended is taken to have said all. */
const LAST_TURNS = 2;

const CONFIG_NAMES = ["deno.json", "deno.jsonc"];

/** Looks for the configuration as the runtime does: from the main module's folder upwards. */
export function configFile(): string | undefined {
  const { mainModule } = Deno;
  if (!mainModule?.startsWith("file:")) return undefined;
  for (let folder = new URL(".", mainModule);; folder = new URL("..", folder)) {
    for (const name of CONFIG_NAMES) {
      const file = new URL(name, folder);
      if (isFile(file)) return decodeURIComponent(file.pathname);
    }
    if (folder.pathname === "/") return undefined;
  }
}

function isFile(file: URL): boolean {
  if (Deno.permissions.querySync({ name: "read", path: file }).state !== "granted") return false;
  try {
    return Deno.statSync(file).isFile;
  } catch {
    return false;
  }
}

/** The arguments that give a child the permissions it is to have: never more than this process has in full. */
function permissionArgs({ permissions = {}, readable }: ProcessOptions): string[] {
  for (const kind of Object.keys(permissions)) {
    if (KINDS.includes(kind as PermissionKind)) continue;
    throw new TypeError(
      `Cannot start process: there is no permission "${kind}"; the kinds are ${KINDS.join(", ")}`,
    );
  }
  const wanted = KINDS.map((kind) => [kind, permissions[kind] ?? isGranted(kind)] as const);
  if (wanted.every(([, permission]) => permission === true)) return ["-A"];
  return wanted.flatMap(([kind, permission]) => argOf(kind, permission, readable));
}

function isGranted(name: PermissionKind): boolean {
  return Deno.permissions.querySync({ name } as Deno.PermissionDescriptor).state === "granted";
}

function argOf(
  kind: PermissionKind,
  permission: Permission,
  readable: readonly string[],
): string[] {
  if (permission === true) return [`--allow-${kind}`];
  const list = permission === false ? [] : permission.map(pathOf);
  if (kind === "read") list.push(...readable);
  for (const item of list) {
    if (item.includes(",")) {
      throw new TypeError(
        `Cannot start process: "${item}" has a comma, which permissions cannot have`,
      );
    }
  }
  return list.length === 0 ? [] : [`--allow-${kind}=${list.join(",")}`];
}

function pathOf(item: string | URL): string {
  return item instanceof URL && item.protocol === "file:"
    ? decodeURIComponent(item.pathname)
    : String(item);
}

function commandArgs(options: ProcessOptions): string[] {
  const { module, config } = options;
  // A data: entry needs no permission to be read, nor has what it imports by name.
  const entry = `import { main } from ${JSON.stringify(module)}; main();`;
  return [
    "run",
    "--quiet",
    "--no-prompt",
    config === undefined ? "--no-config" : `--config=${config}`,
    ...permissionArgs(options),
    `data:text/javascript,${encodeURIComponent(entry)}`,
  ];
}

let isContained = false;

/**
 * A process that dies while it sends leaves half a message in the channel, which the runtime reports as an error that
 * nobody could catch. The end of the process is told apart from that.
 */
function containHalfMessages(): void {
  if (isContained) return;
  isContained = true;
  globalThis.addEventListener("unhandledrejection", (event) => {
    const { reason } = event;
    if (reason instanceof Deno.errors.UnexpectedEof && reason.message.startsWith("ipc stream")) {
      event.preventDefault();
    }
  });
}

/** See `Platform`. */
export function startProcess(options: ProcessOptions): ChildProcess {
  const { env, cwd, onFrame, onEnd } = options;
  const args = commandArgs(options);
  containHalfMessages();
  let child: NodeChildProcess;
  try {
    child = builtin("node:child_process").spawn(Deno.execPath(), args, {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "advanced",
      cwd,
      env: env === undefined ? undefined : { ...Deno.env.toObject(), ...env },
    });
  } catch (error) {
    throw cannotStart(error);
  }
  const { pid } = child;
  if (pid === undefined) throw cannotStart(new Error("the system refused it"));
  let hasEnded = false;
  const end = (how: ProcessEnd): void => {
    if (hasEnded) return;
    hasEnded = true;
    onEnd(how);
  };
  let framesSeen = 0;
  child.on("message", (message) => {
    framesSeen++;
    onFrame(message as Uint8Array);
  });
  // What it has sent before its end may still be in the channel: two turns without a frame say that nothing is.
  const endLater = (how: ProcessEnd, turns: number, seen = framesSeen): void => {
    if (turns === 0) return end(how);
    setImmediate(() => endLater(how, framesSeen === seen ? turns - 1 : LAST_TURNS));
  };
  child.on("exit", (code, signal) => endLater({ code, signal }, LAST_TURNS));
  child.on("error", () => {}); // What could not be sent: the end is told by "exit".
  return {
    pid,
    send: (frame, onSent) => {
      if (!hasEnded) child.send(frame, onSent);
    },
    kill: (signal) => {
      if (!hasEnded) child.kill(signal);
    },
  };
}

function cannotStart(error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error);
  const hint = error instanceof Deno.errors.NotCapable
    ? "; run the program with --allow-run and --allow-env"
    : "";
  return new Error(`Cannot start process: ${text}${hint}`, { cause: error });
}

/** See `Platform`. */
export function parentChannel(
  onFrame: (frame: Uint8Array) => void,
  onClose: () => void,
): FrameChannel {
  const process = builtin("node:process");
  process.on("message", (message) => onFrame(message as Uint8Array));
  process.on("disconnect", onClose);
  return { send: (frame, onSent) => void process.send!(frame, onSent) };
}

/** See `Platform`. */
export function endProcess(code: number | "kill"): never {
  // A process may always kill itself.
  if (code === "kill") Deno.kill(Deno.pid, "SIGKILL");
  Deno.exit(code as number);
}
