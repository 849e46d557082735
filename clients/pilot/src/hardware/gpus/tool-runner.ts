import { execFile, type ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { basename, delimiter, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** Result of a call of a tool. `stdout` is always there: some tools print a lot before they fail. */
export type ToolResult =
  | { readonly kind: 'answered'; readonly stdout: string }
  | { readonly kind: 'failed'; readonly stdout: string; readonly stderr: string; readonly why: string }
  | { readonly kind: 'hung'; readonly stdout: string; readonly why: string }
  /** It does not exist or cannot be started, which means nothing for the devices. */
  | { readonly kind: 'missing'; readonly why: string };

/** Options for running tools. */
export interface ToolOptions {
  /** Search path for programs. */
  readonly searchPath: string;
  /** A tool that takes longer is killed and counts as hanging. */
  readonly timeoutMs: number;
  /** Variables of the pilot that tools need to find their libraries. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /**
   * Signal for a tool that takes longer; tests pass one that their tool survives, like a tool that hangs in
   * its driver.
   */
  readonly killSignal?: NodeJS.Signals | undefined;
}

/** Runs a tool of a vendor with fixed arguments; never rejects. */
export type RunTool = (program: string, args: readonly string[]) => Promise<ToolResult>;

/**
 * Variables that tools need: inside `apptainer --nv`, and on Kubernetes nodes, only LD_LIBRARY_PATH points to
 * the driver's libraries. Variables that hide devices or colour the output are not passed.
 */
const libraryVariables = ['LD_LIBRARY_PATH', 'ROCM_PATH', 'ROCM_HOME'];

/** The part of an environment for {@link ToolOptions}. */
export function toolEnvironment(env: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  return Object.fromEntries(
    libraryVariables.flatMap((name) => {
      const value = env[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}

/** Folders in which vendors install their tools, besides the search path. */
const otherFolders = ['/usr/bin', '/usr/local/bin', '/opt/rocm/bin', '/usr/lib/wsl/lib'];
/** The log of 16 GPUs has 2 MiB. */
const maxOutputBytes = 8 * 1024 * 1024;

/** Processes of tools that were given up and have not ended, by program. */
const unended = new Map<string, Set<ChildProcess>>();

/**
 * A runner of tools with a time limit. A tool that hangs in its driver may survive SIGKILL: it is not waited
 * for, and it is not started again until it has ended. Otherwise each probe would add a process.
 */
export function toolRunner(options: ToolOptions): RunTool {
  const { searchPath, environment = {} } = options;
  // Some tools are scripts: their interpreter is a system program, or on the pilot's search path.
  const env = { ...environment, PATH: `/usr/bin:/bin:${searchPath}`, LC_ALL: 'C', HOME: '/nonexistent' };
  return async (program, args) => {
    const path = await locate(program, searchPath);
    if (path === undefined) return { kind: 'missing', why: `${program} is not on this host` };
    if (unended.has(path)) return { kind: 'hung', stdout: '', why: 'an earlier call has not ended' };
    return run(path, args, env, options);
  };
}

/**
 * Path of a tool. Folders of the search path come first; an empty search path means that there are no tools.
 */
async function locate(program: string, searchPath: string): Promise<string | undefined> {
  const asked = searchPath.split(delimiter).filter((folder) => folder !== '');
  if (asked.length === 0) return undefined;
  for (const folder of new Set([...asked, ...otherFolders])) {
    const path = join(folder, program);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return undefined;
}

async function run(
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { timeoutMs, killSignal = 'SIGKILL' }: ToolOptions,
): Promise<ToolResult> {
  return new Promise((resolve) => {
    let stdout = '';
    const child = execFile(path, [...args], { maxBuffer: maxOutputBytes, env }, (error, _stdout, stderr) => {
      clearTimeout(timer);
      // Endless output is useless, and takes long to read.
      if ((error as NodeJS.ErrnoException | null)?.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER')
        return resolve({
          kind: 'failed',
          stdout: '',
          stderr: '',
          why: `it wrote more than ${maxOutputBytes} bytes`,
        });
      const text = stripVTControlCharacters(stdout);
      if (error === null) return resolve({ kind: 'answered', stdout: text });
      if (isNotStarted(error, stderr))
        return resolve({
          kind: 'missing',
          why: `${basename(path)} cannot be started: ${reasonOf(error, '', stderr)}`,
        });
      return resolve({ kind: 'failed', stdout: text, stderr, why: reasonOf(error, text, stderr) });
    });
    child.stdout?.on('data', (text) => (stdout += String(text)));
    const timer = setTimeout(() => {
      remember(path, child);
      child.kill(killSignal);
      child.stdout?.destroy();
      child.stderr?.destroy();
      child.unref();
      resolve({ kind: 'hung', stdout, why: `no answer within ${timeoutMs / 1000} s` });
    }, timeoutMs);
  });
}

/** True if there is no program, none for this machine, or its interpreter or modules are missing. */
function isNotStarted({ code }: { code?: unknown }, stderr: string): boolean {
  if (typeof code === 'string') return /^(ENOENT|EACCES|ENOEXEC|ENOTDIR)$/.test(code);
  return code === 126 || code === 127 || /^(ModuleNotFoundError|ImportError):/m.test(stderr);
}

function remember(path: string, child: ChildProcess): void {
  const those = unended.get(path) ?? new Set();
  unended.set(path, those.add(child));
  child.once('exit', () => {
    those.delete(child);
    if (those.size === 0 && unended.get(path) === those) unended.delete(path);
  });
}

/** The last line that mentions a failure, or else the last line: earlier lines may be the usual output. */
function reasonOf(
  error: Error & { code?: unknown; signal?: unknown },
  stdout: string,
  stderr: string,
): string {
  const lines = `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '');
  const end =
    typeof error.signal === 'string' ? `ended by ${error.signal}` : `exit code ${String(error.code)}`;
  const last =
    lines.findLast((line) => /fail|error|unable|mismatch|denied|not found/i.test(line)) ?? lines.at(-1);
  return last === undefined ? end : `${end}: ${last.trim()}`;
}
