/** The command line of bubblewrap for a payload. Pure functions. */
import { join } from 'node:path';
import type { AttemptFolders } from '../files/scratch.js';
import type { LaunchSpec } from '../payload/launch.js';
import { shellWord } from '../payload/shell-word.js';
import { unitsInside } from '../units/unit-places.js';
import { attemptVariable } from '../processes/attempt-processes.js';

/** Limits of a payload that the kernel enforces. */
export interface ProcessLimits {
  /** Processes and threads of one payload. */
  readonly processes: number;
  /** Open files of one process. */
  readonly openFiles: number;
}

/** A host as payloads see it. */
export interface HostView {
  /** Links of the root folder, such as `/bin`, with their targets. */
  readonly links: readonly { readonly path: string; readonly target: string }[];
  /** Folders and files that payloads may read, at the same path. */
  readonly readable: readonly string[];
}

/** A payload as it would start on the host. */
export interface SandboxedSpec {
  readonly spec: LaunchSpec;
  readonly folders: AttemptFolders;
  readonly limits: ProcessLimits;
  /** Size of its `/dev/shm`. */
  readonly sharedMemoryBytes: number;
  /** Files of `/dev` of its devices. */
  readonly deviceNodes: readonly string[];
  /** Further folders that it reads, such as those of device drivers. */
  readonly readable: readonly string[];
  /** Folders of the host that it may write, at the same path. */
  readonly writable: readonly string[];
  /** False if it gets a network without any other host. */
  readonly hasNetwork: boolean;
  /** Folder of the host with its secrets. */
  readonly secrets?: string | undefined;
  /** Folder of the host for its work on units. */
  readonly units?: string | undefined;
  /** Filter of its system calls; without one, it makes any. */
  readonly systemCallFilter?: Buffer | undefined;
}

/** Programs of the host that start a payload; all in `/usr` on every distribution. */
export interface SandboxPrograms {
  readonly bubblewrap: string;
  readonly prlimit: string;
  readonly awk: string;
}

const commandInside = '/run/rhizome-command';
/** The file descriptor from which bubblewrap reads its options: command lines are public on a host. */
const optionsFd = 4;
/** The file descriptor from which bubblewrap reads the filter of system calls; it closes it. */
const filterFd = 5;

/**
 * The first process in the sandbox, a shell, collects ended processes. The second, awk, starts the payload
 * and writes its end to file descriptor 3: shells and bubblewrap itself do not distinguish a signal from an
 * exit code above 128, and awk adds 256 to a signal's number. The payload does not get the descriptor.
 */
const starter = `$1 'BEGIN { end = system("exec /bin/sh ${commandInside} >&5 3>&- 5>&-"); print end }' 5>&1 >&3 3>&-; exit $?`;

/** The command on the host that runs the payload in a sandbox. */
export function inSandbox(sandboxed: SandboxedSpec, view: HostView, programs: SandboxPrograms): LaunchSpec {
  const { spec, folders, limits, systemCallFilter } = sandboxed;
  const attemptId = spec.environment[attemptVariable];
  const options = [
    ...namespaces(sandboxed),
    ...(systemCallFilter === undefined ? [] : ['--seccomp', String(filterFd)]),
    // Folders that follow may themselves be in /tmp.
    ...['--bind', sandboxed.folders.temporary, '/tmp', '--bind', sandboxed.folders.temporary, '/var/tmp'],
    ...hostMounts(view, sandboxed),
    ...ownMounts(sandboxed),
    ...variables(spec),
  ];
  const { processes, openFiles } = limits;
  return {
    command: programs.bubblewrap,
    arguments: [
      ...['--args', String(optionsFd), '--', programs.prlimit],
      ...[`--nproc=${processes}:${processes}`, `--nofile=${openFiles}:${openFiles}`, '--core=0:0'],
      ...['/bin/sh', '-c', starter, 'payload', programs.awk],
    ],
    environment: {
      PATH: '/usr/bin:/bin',
      LANG: 'C.UTF-8',
      ...(attemptId === undefined ? {} : { [attemptVariable]: attemptId }),
    },
    folder: '/',
    hasOwnSharedMemory: true,
    files: [{ path: join(folders.private, 'command'), text: commandScript(spec) }],
    supervision: {
      optionsFd,
      options: options.map((option) => `${option}\0`).join(''),
      ...(systemCallFilter === undefined
        ? {}
        : { systemCallFilter: { fd: filterFd, program: systemCallFilter.toString('base64') } }),
    },
  };
}

function namespaces({ spec, hasNetwork }: SandboxedSpec): readonly string[] {
  return [
    ...['--unshare-user', '--disable-userns', '--unshare-pid', '--unshare-ipc', '--unshare-uts'],
    ...['--unshare-cgroup-try', ...(hasNetwork ? [] : ['--unshare-net'])],
    ...['--die-with-parent', '--as-pid-1', '--cap-drop', 'ALL', '--chdir', spec.folder],
  ];
}

function hostMounts(
  { links, readable }: HostView,
  { readable: more, writable, deviceNodes }: SandboxedSpec,
): readonly string[] {
  return [
    ...links.flatMap(({ path, target }) => ['--symlink', target, path]),
    ...[...readable, ...more].flatMap((path) => ['--ro-bind-try', path, path]),
    ...writable.flatMap((path) => ['--bind-try', path, path]),
    ...['--proc', '/proc', '--dev', '/dev'],
    ...deviceNodes.flatMap((path) => ['--dev-bind-try', path, path]),
  ];
}

/** Whatever the payload may write is in its scratch space, or limited in size. */
function ownMounts({ folders, sharedMemoryBytes, secrets, units }: SandboxedSpec): readonly string[] {
  const { root } = folders;
  return [
    ...['--size', String(sharedMemoryBytes), '--tmpfs', '/dev/shm'],
    ...['--bind', root, root],
    ...(secrets === undefined ? [] : ['--ro-bind', secrets, folders.secrets]),
    ...(units === undefined ? [] : ['--bind', units, unitsInside]),
    ...['--ro-bind', join(folders.private, 'command'), commandInside],
    ...['--remount-ro', '/dev', '--remount-ro', '/'],
  ];
}

/** The loader's variables take effect in the payload, and not in the programs that start it. */
const isOfLoader = (name: string): boolean => name.startsWith('LD_') || name === 'GCONV_PATH';

/** Variables that change what a shell or awk does, or that a shell refuses to set; none can be a secret. */
const ofShells =
  /^(OPTIND|UID|EUID|PPID|GROUPS|ENV|LINENO|RANDOM|SECONDS|SHELLOPTS|BASHOPTS|BASH_.*|AWK.*|POSIXLY_CORRECT)$/;

function variables({ environment }: LaunchSpec): readonly string[] {
  const set = Object.entries(environment).filter(([name]) => !isOfLoader(name) && !ofShells.test(name));
  return ['--clearenv', ...set.flatMap(([name, value]) => ['--setenv', name, value])];
}

function commandScript({ environment, command, arguments: given }: LaunchSpec): string {
  const all = Object.entries(environment);
  const exports = all
    .filter(([name]) => isOfLoader(name))
    .map(([name, value]) => `export ${name}=${shellWord(value)}\n`);
  const others = all.filter(([name]) => ofShells.test(name)).map((one) => shellWord(one.join('=')));
  const words = [...(others.length === 0 ? [] : ['/usr/bin/env', ...others]), shellWord(command)];
  return `${exports.join('')}exec ${[...words, ...given.map(shellWord)].join(' ')}\n`;
}
