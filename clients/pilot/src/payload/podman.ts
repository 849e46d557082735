/** The command line of Podman for a payload. Pure functions. */
import { join } from 'node:path';
import { hasDevicesOf } from '../hardware/gpus/visibility-variables.js';
import { runtimeEnvironment, variablesInside, type ContainedSpec, type ContainerHost } from './contained.js';
import type { LaunchSpec, PrivateFile } from './launch.js';
import { unitsInside } from '../units/unit-places.js';
import { shellWord } from './shell-word.js';

/**
 * The variables of a job must not reach Podman's own process, where a loader or a configuration variable
 * would run the payload's code outside the image. They go in by files that are not in the scratch space.
 */
export function byPodman(contained: ContainedSpec, host: ContainerHost): LaunchSpec {
  const { image, spec, folders, hasOwnPath, isFolder, writable, secrets, units } = contained;
  const variables = variablesInside(spec, hasOwnPath);
  const listed = variableFiles(variables, folders.private);
  return {
    command: 'podman',
    arguments: [
      'run',
      '--rm',
      ...isolationOptions(contained, host),
      ...writable.flatMap((path) => ['--volume', `${path}:${path}`]),
      ...['--volume', `${folders.root}:${folders.root}`],
      ...(secrets === undefined ? [] : ['--volume', `${secrets}:${folders.secrets}:ro`]),
      ...(units === undefined ? [] : ['--volume', `${units}:${unitsInside}`]),
      ...listed.options,
      ...['--workdir', spec.folder],
      ...['--entrypoint', ''],
      ...podmanDevices(spec),
      ...(isFolder ? ['--rootfs', image] : [image]),
      ...listed.before,
      spec.command,
      ...spec.arguments,
    ],
    environment: runtimeEnvironment(spec, host),
    folder: '/',
    hasOwnSharedMemory: true,
    files: listed.files,
  };
}

/**
 * Options that keep a payload from the host, and its files in its scratch space. Its processes are in a
 * namespace of their own by default.
 */
function isolationOptions(contained: ContainedSpec, host: ContainerHost): readonly string[] {
  const { folders, limits, memoryMiB, hasNetwork } = contained;
  const { processes, openFiles } = limits;
  return [
    ...['--network', hasNetwork ? 'host' : 'none'],
    ...['--ipc', 'private', '--cap-drop', 'all'],
    ...['--security-opt', 'label=disable'],
    ...['--security-opt', 'no-new-privileges'],
    ...(host.isRoot ? [] : ['--userns', 'keep-id']),
    ...(host.usesControlGroups ? [] : ['--cgroups', 'disabled']),
    ...['--ulimit', `nproc=${processes}:${processes}`, '--ulimit', `nofile=${openFiles}:${openFiles}`],
    ...['--ulimit', 'core=0:0', '--shm-size', `${memoryMiB}m`],
    ...['--read-only', '--read-only-tmpfs=false'],
    ...['--volume', `${folders.temporary}:/tmp`, '--volume', `${folders.temporary}:/var/tmp`],
  ];
}

/** Podman reads a file of variables line by line, with lines of less than 64 KiB. */
const longestValue = 32 * 1024;

const variablesInImage = '/run/rhizome-variables';

interface VariableFiles {
  readonly files: readonly PrivateFile[];
  /** Options of `podman run`. */
  readonly options: readonly string[];
  /** Start of the command in the image. */
  readonly before: readonly string[];
}

/** Values with line breaks, or too long for Podman, are set by a shell in the image. */
function variableFiles(
  variables: readonly (readonly [string, string])[],
  privateFolder: string,
): VariableFiles {
  const isPlain = ([, value]: readonly [string, string]): boolean =>
    value.length <= longestValue && !/[\n\r\0]/.test(value);
  const plain = { path: join(privateFolder, 'variables'), text: '' };
  plain.text = variables
    .filter(isPlain)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
  const others = variables.filter((one) => !isPlain(one));
  const options = ['--env-file', plain.path];
  if (others.length === 0) return { files: [plain], options, before: [] };
  const script = {
    path: join(privateFolder, 'variables.sh'),
    text: others.map(([name, value]) => `export ${name}=${shellWord(value)}\n`).join(''),
  };
  return {
    files: [plain, script],
    options: [...options, '--volume', `${script.path}:${variablesInImage}:ro`],
    before: ['sh', '-c', `. ${variablesInImage}; exec "$@"`, 'sh'],
  };
}

/** Devices that the pilot gave to the job, by their names in the container device interface. */
function podmanDevices({ environment }: LaunchSpec): readonly string[] {
  const nvidia = (environment['CUDA_VISIBLE_DEVICES'] ?? '').split(',').filter((id) => id !== '');
  const hasAmd = hasDevicesOf('AMD', environment);
  const files = [
    ...(hasAmd ? ['/dev/kfd'] : []),
    ...(hasAmd || hasDevicesOf('INTEL', environment) ? ['/dev/dri'] : []),
  ];
  return [
    ...nvidia.map((id) => `nvidia.com/gpu=${id}`).flatMap((id) => ['--device', id]),
    ...files.flatMap((path) => ['--device', path]),
    ...(files.length > 0 ? ['--group-add', 'keep-groups'] : []),
  ];
}
