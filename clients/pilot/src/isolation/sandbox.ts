import { constants } from 'node:fs';
import { access, lstat, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { reportedEnd, spawnWithFiles, type LaunchSpec } from '../payload/launch.js';
import { trialLimits, withTrialFolders } from './trial-folders.js';
import { systemCallFilter } from './system-calls/filter.js';
import { inSandbox, type HostView, type SandboxedSpec, type SandboxPrograms } from './bubblewrap.js';

/** Programs are taken from these folders, and not from a search path that others may change. */
const programFolders = ['/usr/bin', '/bin', '/usr/local/bin'];

/** Folders of programs and libraries, which are links into `/usr` in many distributions. */
export const rootLinks: readonly string[] = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];

/** Parts of `/etc` that programs need: no file that may hold a password, a key or a token. */
const readableOfEtc = [
  ...['ld.so.cache', 'ld.so.conf', 'ld.so.conf.d', 'alternatives', 'passwd', 'group', 'nsswitch.conf'],
  ...['hosts', 'host.conf', 'resolv.conf', 'gai.conf', 'services', 'protocols', 'networks', 'localtime'],
  ...['timezone', 'locale.conf', 'os-release', 'redhat-release', 'debian_version', 'inputrc', 'mime.types'],
  ...['ssl/certs', 'ssl/openssl.cnf', 'pki/tls/certs', 'pki/ca-trust/extracted', 'pki/tls/openssl.cnf'],
  ...['ca-certificates', 'crypto-policies', 'grid-security/certificates', 'grid-security/vomsdir', 'vomses'],
  ...['fonts', 'OpenCL', 'vulkan', 'glvnd', 'egl', 'magic', 'terminfo', 'perl', 'python3', 'bash.bashrc'],
].map((name) => `/etc/${name}`);

/** Software that sites provide for payloads, and the kernel's description of the hardware. */
export const readableFolders: readonly string[] = ['/usr', '/cvmfs', '/opt/rocm', '/sys'];

/** Options of a sandbox. */
export interface SandboxOptions {
  /** Folders of the site that payloads may read, in addition to those of the operating system. */
  readonly readable: readonly string[];
  /** For the trial; its folders are removed. */
  readonly scratch: string;
  /** False if payloads may make any system call. */
  readonly filtersSystemCalls: boolean;
}

/** Runs payloads of the host in namespaces of their own, by bubblewrap. */
export class Sandbox {
  readonly #view: HostView;
  readonly #programs: SandboxPrograms;
  readonly #filter: Buffer | undefined;

  private constructor(view: HostView, programs: SandboxPrograms, filter: Buffer | undefined) {
    this.#view = view;
    this.#programs = programs;
    this.#filter = filter;
  }

  /**
   * Tries a sandbox on this host, without the filter of system calls if it does not work with it. Returns it,
   * or the reason why there is none.
   */
  static async find(options: SandboxOptions): Promise<Sandbox | { readonly reason: string }> {
    const [bubblewrap, prlimit, awk] = await Promise.all(['bwrap', 'prlimit', 'awk'].map(programPath));
    const missing = Object.entries({ bwrap: bubblewrap, prlimit, awk }).filter(
      ([, path]) => path === undefined,
    );
    if (bubblewrap === undefined || prlimit === undefined || awk === undefined)
      return { reason: `program not found: ${missing.map(([name]) => name).join(', ')}` };
    const readable = [...(await foldersOfRoot()), ...options.readable];
    const view = { links: await linksOfRoot(), readable };
    const filter = options.filtersSystemCalls ? systemCallFilter(process.arch) : undefined;
    const sandbox = new Sandbox(view, { bubblewrap, prlimit, awk }, filter);
    const reason = await sandbox.#trial(options.scratch, true);
    if (reason === undefined) return sandbox;
    return filter === undefined ? { reason } : Sandbox.find({ ...options, filtersSystemCalls: false });
  }

  /** True if payloads cannot make the system calls of `system-calls/denied-calls.ts`. */
  get filtersSystemCalls(): boolean {
    return this.#filter !== undefined;
  }

  /** True if payloads can be given a network of their own, without any other host. */
  async isolatesNetwork(scratch: string): Promise<boolean> {
    return (await this.#trial(scratch, false)) === undefined;
  }

  /** The command on the host that runs a payload. */
  commandFor(request: SandboxedSpec): LaunchSpec {
    return inSandbox({ ...request, systemCallFilter: this.#filter }, this.#view, this.#programs);
  }

  /** Runs a program as a payload would run. Returns the reason why that fails. */
  #trial(scratch: string, hasNetwork: boolean): Promise<string | undefined> {
    return withTrialFolders(scratch, ({ folders }) => {
      const environment = { PATH: '/usr/bin:/bin' };
      const spec = { command: 'true', arguments: [], environment, folder: folders.work };
      const request = { spec, folders, limits: trialLimits, sharedMemoryBytes: 1 << 20, hasNetwork };
      return trialResult(this.commandFor({ ...request, deviceNodes: [], readable: [], writable: [] }));
    });
  }
}

async function trialResult(spec: LaunchSpec): Promise<string | undefined> {
  const child = await spawnWithFiles(spec, 'ignore', 'pipe');
  const started = new Promise<Error | undefined>((resolve) => {
    child.once('error', resolve).once('close', () => resolve(undefined));
  });
  const [end, errors, fault] = await Promise.all([
    reportedEnd(child),
    child.stderr === null ? '' : text(child.stderr),
    started,
  ]);
  if (fault !== undefined) return fault.message;
  if (end?.exitCode === 0) return undefined;
  return errors.trim().slice(0, 500) || 'a program in the sandbox did not end as expected';
}

/** Path of a program of the operating system; undefined if it is not installed. */
export async function programPath(name: string): Promise<string | undefined> {
  for (const folder of programFolders) {
    const path = join(folder, name);
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}

/** Links such as `/bin` of distributions that have everything in `/usr`. */
export async function linksOfRoot(): Promise<HostView['links']> {
  const found = await Promise.all(
    rootLinks.map(async (path) => ({ path, target: await readlink(path).catch(() => undefined) })),
  );
  return found.flatMap(({ path, target }) => (target === undefined ? [] : [{ path, target }]));
}

async function foldersOfRoot(): Promise<readonly string[]> {
  const found = await Promise.all(
    rootLinks.map(async (path) => ((await lstat(path).catch(() => undefined))?.isDirectory() ? [path] : [])),
  );
  return [...readableFolders, ...found.flat(), ...readableOfEtc];
}
