import { execFile, type ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { basename, delimiter, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** What came of running a tool. `stdout` is what it wrote in any case: some tools tell much before they fail. */
export type ToolResult =
  | { readonly kind: 'answered'; readonly stdout: string }
  | { readonly kind: 'failed'; readonly stdout: string; readonly stderr: string; readonly why: string }
  | { readonly kind: 'hung'; readonly stdout: string; readonly why: string }
  /** It is not there, or cannot be started: that says nothing of devices. */
  | { readonly kind: 'missing'; readonly why: string };

/** How tools are run. */
export interface ToolOptions {
  /** Where programs are looked for. */
  readonly searchPath: string;
  /** A tool that takes longer is killed and counts as hanging. */
  readonly timeoutMs: number;
  /** Of the pilot's environment, what tools need to find their libraries. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** What a tool that takes longer gets; tests hand in a signal that theirs outlives, as one does that hangs in its driver. */
  readonly killSignal?: NodeJS.Signals | undefined;
}

/** Runs a tool of a vendor with fixed arguments; never rejects. */
export type RunTool = (program: string, args: readonly string[]) => Promise<ToolResult>;

/**
 * What tools need of the pilot's environment: inside of `apptainer --nv`, and on Kubernetes nodes, the driver's libraries are found by
 * LD_LIBRARY_PATH alone. What hides devices, or colours the output, is not handed on.
 */
const libraryVariables = ['LD_LIBRARY_PATH', 'ROCM_PATH', 'ROCM_HOME'];

/** Of an environment, what {@link ToolOptions} takes. */
export function toolEnvironment(env: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  return Object.fromEntries(
    libraryVariables.flatMap((name) => {
      const value = env[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}

/** Where vendors put their tools besides the search path. */
const otherFolders = ['/usr/bin', '/usr/local/bin', '/opt/rocm/bin', '/usr/lib/wsl/lib'];
/** The log of 16 GPUs has 2 MiB. */
const maxOutputBytes = 8 * 1024 * 1024;

/** Processes of tools that were given up and have not ended, by program. */
const unended = new Map<string, Set<ChildProcess>>();

/**
 * A runner of tools with a time limit. A tool that hangs in its driver may outlive SIGKILL: it is not waited for, and until it has ended
 * it is not started again. Looks would pile up processes otherwise.
 */
export function toolRunner(options: ToolOptions): RunTool {
  const { searchPath, environment = {} } = options;
  // Some tools are scripts: what runs them is where the system has it, or where the pilot finds its programs.
  const env = { ...environment, PATH: `/usr/bin:/bin:${searchPath}`, LC_ALL: 'C', HOME: '/nonexistent' };
  return async (program, args) => {
    const path = await locate(program, searchPath);
    if (path === undefined) return { kind: 'missing', why: `${program} is not on this host` };
    if (unended.has(path)) return { kind: 'hung', stdout: '', why: 'an earlier call has not ended' };
    return run(path, args, env, options);
  };
}

/** Folders that were asked for come first; an empty search path means that there are no tools. */
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
      // What goes on without end says nothing, and takes long to read.
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

/** No program at that place, none for this machine, or one whose interpreter or modules are not there. */
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

/** The last line that tells of a failure says most, or else the last: what was before may be its usual output. */
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
