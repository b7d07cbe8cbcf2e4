/**
 * Processes on Deno, with the permissions of children.
 *
 * @module
 */

import { addedTo, signalNumber, startChild } from "./_child_process.ts";
import { builtin } from "./_node_modules.ts";
import { SocketChannel } from "./socket_channel.ts";
import { environment } from "./deno.ts";
import { findConfig, isFile, PACKAGE_NAME, pathOf } from "./deno_config.ts";
import { codeOfEntry, codeOfScript, isBundled } from "./entry.ts";
import {
  type Permission,
  PERMISSION_KINDS,
  PERMISSION_SCOPES,
  type PermissionKind,
  type Permissions,
} from "./permissions.ts";
import type { ChildProcess, FrameChannel, Processes, ProcessOptions } from "./processes.ts";

/** See {@linkcode Processes.grant}. */
function grant(permissions: Permissions = {}): Permissions {
  runtimeCommand(); // Throws if this thread may start no process.
  return Object.fromEntries(
    PERMISSION_KINDS.map((kind) => [kind, grantOf(kind, permissions[kind])]),
  );
}

/** The hosts that the runtime lets every program import from that does not name others. */
const DEFAULT_HOSTS = [
  "deno.land",
  "jsr.io",
  "esm.sh",
  "raw.esm.sh",
  "cdn.jsdelivr.net",
  "raw.githubusercontent.com",
  "gist.githubusercontent.com",
].map((host) => `${host}:443`);

function grantOf(kind: PermissionKind, wanted: Permission | undefined): Permission {
  if (wanted === undefined) {
    if (isGranted(kind)) return true;
    return kind === "import" && DEFAULT_HOSTS.filter((host) => isGranted(kind, host));
  }
  if (wanted === false) return false;
  if (wanted === true) {
    checkGranted(kind);
    return true;
  }
  const list = wanted.map(String);
  for (const item of list) {
    checkGranted(kind, item);
    checkDenied(kind, item);
    checkComma(item, "");
  }
  return list;
}

function query(name: PermissionKind, scope?: string): Deno.PermissionStatus {
  const descriptor = scope === undefined ? { name } : { name, [PERMISSION_SCOPES[name]]: scope };
  return Deno.permissions.querySync(descriptor as Deno.PermissionDescriptor);
}

function isGranted(kind: PermissionKind, scope?: string): boolean {
  const { state, partial } = query(kind, scope);
  return state === "granted" && !partial;
}

/** Throws unless this thread has the permission itself: otherwise it cannot give it to a child. */
function checkGranted(kind: PermissionKind, scope?: string): void {
  if (isGranted(kind, scope)) return;
  const what = scope === undefined ? `"${kind}" in full` : `"${kind}" for "${scope}"`;
  throw new Error(
    `Cannot start process: this process has no permission ${what} itself; run the program with it, or leave it out`,
  );
}

/** The arguments that give a child its permissions. */
function permissionArgs(options: ProcessOptions): string[] {
  const { permissions = {} } = options;
  if (PERMISSION_KINDS.every((kind) => permissions[kind] === true)) return ["-A"];
  return PERMISSION_KINDS.flatMap((kind) => argOf(kind, permissions[kind], options));
}

/**
 * A host that there is not. Without a list, and even if imports are denied, the runtime allows
 * those of {@linkcode DEFAULT_HOSTS}.
 */
const NO_HOST = "nohost.invalid";

function argOf(
  kind: PermissionKind,
  permission: Permission | undefined,
  { readable, module }: ProcessOptions,
): string[] {
  if (permission === true) return [`--allow-${kind}`];
  const list = typeof permission === "object" ? permission.map(String) : [];
  if (kind === "read") {
    for (const path of readable.map((url) => pathOf(url))) {
      checkComma(path, "; it is the package's own, so run the program with -A and limit nothing");
      list.push(path);
    }
  }
  if (kind === "import") {
    const { protocol, hostname, port } = new URL(module);
    // What a child begins with comes from there.
    if (protocol === "https:") list.push(`${hostname}:${port || 443}`);
    else if (protocol === "http:") list.push(`${hostname}:${port || 80}`);
    else if (list.length === 0) list.push(NO_HOST);
  }
  return list.length === 0 ? [] : [`--allow-${kind}=${list.join(",")}`];
}

/** A host with its port. */
const HOST_AND_PORT = /^(?:[^:/*]+|\[.+\]):\d+$/;

/** The items that name one thing, of the kinds whose items may name more. */
const NARROW: Partial<Record<PermissionKind, RegExp>> = {
  net: HOST_AND_PORT,
  import: HOST_AND_PORT,
  env: /^[^*]*$/,
};

/**
 * Throws if an item may include what is denied to this thread. The runtime tells that of paths, but
 * calls all of a host granted when one of its ports is denied. It tells whether anything of a kind
 * is denied only where the rest is granted in full.
 */
function checkDenied(kind: PermissionKind, item: string): void {
  if (NARROW[kind]?.test(item) !== false || !query(kind).partial) return;
  const narrower = kind === "env" ? "each variable" : "each host with its port";
  throw new Error(
    `Cannot start process: something of "${kind}" is denied to this process, and "${item}" may include it; name ${narrower}`,
  );
}

function checkComma(item: string, hint: string): void {
  if (!item.includes(",")) return;
  throw new TypeError(
    `Cannot start process: "${item}" has a comma, which permissions cannot have${hint}`,
  );
}

/** The kinds whose items are always paths. */
const OF_PATHS: readonly PermissionKind[] = ["read", "write", "ffi"];

/** See {@linkcode Processes.permissionItem}. */
function permissionItem(kind: PermissionKind, item: string | URL): string {
  const text = String(item);
  if (text.startsWith("file:")) return pathOf(new URL(text));
  // A command without a folder is looked for on the PATH.
  const isPath = OF_PATHS.includes(kind) || (kind === "run" && /[/\\]/.test(text));
  if (!isPath) return text;
  checkOwnFolder(); // Even a complete path needs `node:path`, and with it `node:process`.
  return builtin("node:path").resolve(text);
}

/**
 * Options of the runtime that say how it finds modules and how it works: they hold for children
 * too.
 */
const PASSED_ON =
  /^--(?:(?:no-)?config|import-map|(?:no-)?lock|frozen(?:-lockfile)?|vendor|node-modules-(?:dir|linker)|conditions|no-(?:npm|remote)|cached-only|cert|unsafely-ignore-certificate-errors|use-env-proxy|v8-flags|unstable(?:-.+)?)$/;

/** Those options whose values are files or addresses. */
const OF_FILES = /^--(?:config|import-map|lock|cert)$/;

/** Options whose value may be the next argument. */
const WITH_VALUE =
  /^(?:-[cL]|--(?:config|import-map|lock|cert|conditions|coverage-threshold|cpu-prof-(?:dir|interval|name)|ext|filter|host|import|inspect-publish-uid|junit-path|location|log-level|min-dep-age|minimum-dependency-age|node-modules-linker|port|preload|related|repeats|reporter|require|retry|seed|shard))$/;

/** Options without values, written together with one that has a value: `-qAc`. */
const TOGETHER = /^-[AEINPRSWpqru]+(?=[cL])/;

const SUBCOMMAND = /^(?:bench|eval|repl|run|serve|test|watch)$/;
/** Subcommands that take options also behind the files that they run. */
const OF_MANY_FILES = /^(?:bench|test)$/;

/**
 * The options, of those that a program was started with, to pass on to a child.
 *
 * @param args The command line, without the runtime itself.
 */
function passedOn(args: readonly string[]): string[] {
  const found: string[] = [];
  let subcommand: string | undefined;
  for (let at = 0; at < args.length && args[at] !== "--"; at++) {
    const arg = args[at].replace(TOGETHER, "-").replace(/^-c=?(?=.)/, "--config=");
    if (!arg.startsWith("-") || arg === "-") {
      if (subcommand === undefined && SUBCOMMAND.test(arg)) subcommand = arg;
      // What follows the program, or its text, are the program's own arguments.
      else if (subcommand === undefined || !OF_MANY_FILES.test(subcommand)) break;
      continue;
    }
    const [, short, value] = /^([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
    const name = short === "-c" ? "--config" : short;
    const isApart = value === undefined && WITH_VALUE.test(short) &&
      args[at + 1]?.startsWith("-") === false;
    if (isApart) at++;
    if (name === undefined || !PASSED_ON.test(name)) continue;
    const given = isApart ? args[at] : value;
    found.push(given === undefined ? name : `${name}=${resolved(name, given)}`);
  }
  return found;
}

function resolved(name: string, value: string): string {
  // The child may work in another folder.
  if (!OF_FILES.test(name) || /^[a-z][a-z\d+.-]+:/i.test(value)) return value;
  return builtin("node:path").resolve(value);
}

/**
 * The options that this process was started with, where they can be read: only on Linux, and only
 * with all permissions.
 */
function ownOptions(): string[] {
  if (!PERMISSION_KINDS.every((kind) => isGranted(kind))) return [];
  try {
    return passedOn(Deno.readTextFileSync("/proc/self/cmdline").split("\0").slice(1, -1));
  } catch {
    return [];
  }
}

/** The options that make a child find modules as this process does. */
function settings(config: string | undefined): string[] {
  const options = ownOptions();
  if (options.some((option) => /^--(?:no-)?config\b/.test(option))) return options;
  if (config?.endsWith(PACKAGE_NAME)) return settingsOfPackage(config, options);
  return [config === undefined ? "--no-config" : `--config=${config}`, ...options];
}

/**
 * The options that make a child find modules as this process does, for a program that has only a
 * `package.json`. A child begins with no file of the program's, so its runtime does not look for a
 * `package.json`: the options state what follows from it.
 */
function settingsOfPackage(packageFile: string, options: readonly string[]): string[] {
  const types = packageFile.slice(0, -PACKAGE_NAME.length) + "tsconfig.json";
  const config = isFile(builtin("node:url").pathToFileURL(types))
    ? `--config=${types}`
    : "--no-config";
  // "auto" needs the package.json; the folder that it has made is there already.
  const others = options.filter((option) =>
    !/^--(?:node-modules-dir(?:=auto)?|unstable-detect-cjs)$/.test(option)
  );
  const hasOwn = others.some((option) => option.startsWith("--node-modules-dir"));
  const modules = hasOwn ? [] : ["--node-modules-dir=manual"];
  return [config, ...modules, "--unstable-detect-cjs", ...others];
}

function commandArgs(options: ProcessOptions): string[] {
  const { entry, module, config } = options;
  // A data: entry needs no permission to be read, and neither does what it imports statically.
  const code = isBundled ? codeOfScript(entry, module) : codeOfEntry(entry, module);
  return [
    "run",
    "--quiet",
    "--no-prompt",
    ...settings(config),
    ...permissionArgs(options),
    `data:text/javascript,${encodeURIComponent(code)}`,
  ];
}

/**
 * The command that starts another process of this runtime: its path or its name, whichever may be
 * run.
 */
function runtimeCommand(): string {
  const commands = [Deno.execPath(), "deno"];
  const allowed = commands.find((command) =>
    Deno.permissions.querySync({ name: "run", command }).state === "granted"
  );
  if (allowed !== undefined) return allowed;
  throw new Error(
    `Cannot start process: running "${
      commands[0]
    }" is not permitted; run the program with --allow-run and --allow-env`,
  );
}

/**
 * Throws if there is no such folder. The runtime reports that only later, and then as a missing
 * program.
 */
function checkFolder(folder: string): void {
  try {
    if (Deno.statSync(folder).isDirectory) return;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return; // The folder may exist.
  }
  throw new Error(`Cannot start process: there is no folder "${folder}" to work in`);
}

/**
 * The variables by which a runtime is set up: time zone, language, and how it reaches the network.
 */
const SETTINGS = [
  "TZ",
  "LANG",
  "LC_ALL",
  "LC_COLLATE",
  "LC_CTYPE",
  "LC_MESSAGES",
  "LC_MONETARY",
  "LC_NUMERIC",
  "LC_TIME",
  "DENO_CERT",
  "DENO_TLS_CA_STORE",
  "NPM_CONFIG_REGISTRY",
  ...["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"].flatMap(
    (name) => [name, name.toLowerCase()],
  ),
];
/** The variables that a runtime needs from its environment. */
const SURROUNDINGS = [...SETTINGS, "DENO_DIR", "HOME", "PATH", "TMPDIR", "XDG_CACHE_HOME"];
/**
 * The variables that a runtime needs on Windows, where without the first of its own not even the
 * network works.
 */
const SURROUNDINGS_WINDOWS = [
  ...SETTINGS,
  "SystemRoot",
  "SystemDrive",
  "COMSPEC",
  "DENO_DIR",
  "LOCALAPPDATA",
  "PATH",
  "PATHEXT",
  "TEMP",
  "TMP",
  "USERPROFILE",
];

/** The environment variables of a child. Those that this process may not read are not passed on. */
function variablesOf(
  { env: added, permissions = {} }: ProcessOptions,
): Record<string, string> | undefined {
  const isWindows = Deno.build.os === "windows";
  if (isGranted("env")) {
    return added === undefined ? undefined : addedTo(Deno.env.toObject(), added, isWindows);
  }
  const env: Record<string, string> = {};
  // Without the permission they cannot be listed. But those that the child may read are named.
  const named = Array.isArray(permissions.env) ? permissions.env.map(String) : [];
  for (const variable of [...isWindows ? SURROUNDINGS_WINDOWS : SURROUNDINGS, ...named]) {
    const value = environment(variable);
    if (value !== undefined) env[variable] = value;
  }
  return addedTo(env, added, isWindows);
}

/** Whether this thread has started a process, and so has loaded what it takes. */
let hasStarted = false;

/**
 * Throws if the folder that this program works in was removed and is needed: by a process that is
 * not given another; and by the runtime as it loads `node:process`, which a failure would leave
 * unusable in this thread.
 */
function checkOwnFolder(cwd?: string): void {
  if (cwd !== undefined && hasStarted) return;
  try {
    Deno.cwd();
  } catch (cause) {
    throw new Error("Cannot start process: the folder that this program works in was removed", {
      cause,
    });
  }
}

function start(options: ProcessOptions): ChildProcess | Promise<never> {
  const { cwd, ready, onFrame, onWireFrame, onUnreadable, onEnd } = options;
  checkOwnFolder(cwd);
  const args = commandArgs(options);
  const command = runtimeCommand();
  if (cwd !== undefined) checkFolder(cwd);
  const child = startChild(command, args, {
    cwd,
    ready,
    env: variablesOf(options),
    onFrame,
    onWireFrame,
    onUnreadable,
    onEnd,
    errorOf: cannotStart,
  });
  hasStarted = true;
  return child;
}

function cannotStart(error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error);
  const hint = error instanceof Deno.errors.NotCapable
    ? "; run the program with --allow-run and --allow-env"
    : "";
  return new Error(`Cannot start process: ${text}${hint}`, { cause: error });
}

function parentChannel(
  socket: number,
  onFrame: (frame: Uint8Array) => void,
  onClose: () => void,
): FrameChannel {
  const { Socket } = builtin("node:net");
  return SocketChannel.inChild((onread) => new Socket({ fd: socket, onread }), onFrame, onClose);
}

function end(code: number | "kill"): never {
  // This needs no permission: a process may always kill itself.
  if (code === "kill") Deno.kill(Deno.pid, "SIGKILL");
  Deno.exit(code as number);
}

/** Makes the Deno implementation. */
export function createDenoProcesses(): Processes {
  return {
    // A compiled program would start itself instead of the runtime.
    areAvailable: !Deno.build.standalone,
    permissionItem,
    grant,
    start,
    parentChannel,
    end,
    signalNumber,
    findConfig,
  };
}
