/** Payloads in container images: selection of the host's runtime, and its command line. Pure functions. */
import type { AttemptFolders } from '../files/scratch.js';
import { hasDevicesOf } from '../hardware/gpus/visibility-variables.js';
import { AttemptError } from './attempt-error.js';
import type { LaunchSpec } from './launch.js';

/** Supported runtimes, in order of preference. All of them work without root and without a service. */
export const containerRuntimes = ['apptainer', 'singularity', 'podman'] as const;

/** One of {@link containerRuntimes}. */
export type ContainerRuntime = (typeof containerRuntimes)[number];

/** A host's means to run containers. */
export interface ContainerHost {
  /** Runtimes on its search path. */
  readonly runtimes: readonly string[];
  /** Search path for their programs and those they need. */
  readonly searchPath: string;
  /** Variables of the pilot that runtimes need, such as `HOME` and their cache; never a secret. */
  readonly environment: Readonly<Record<string, string>>;
  /** True if the pilot is root: users are not mapped then. */
  readonly isRoot: boolean;
}

/** A payload as it would start on the host, and the image to start it in. */
export interface ContainedSpec {
  readonly image: string;
  readonly spec: LaunchSpec;
  readonly folders: AttemptFolders;
  /** True if the job sets `PATH` itself: then it applies in the image, too. */
  readonly hasOwnPath: boolean;
}

/** The value that accepts any runtime. */
const anyRuntime = 'any';

/**
 * The runtime for an image: the one that the job names, or the first that can run it.
 * @throws AttemptError WORKER IMAGE_UNSUPPORTED that says what is missing
 */
export function runtimeFor(image: string, wanted: string | null, found: readonly string[]): ContainerRuntime {
  const usable = containerRuntimes.filter((name) => found.includes(name) && takes(name, image));
  const named = wanted === null || wanted === anyRuntime ? usable : usable.filter((name) => name === wanted);
  const [first] = named;
  if (first !== undefined && !image.startsWith('-')) return first;
  const has = found.length === 0 ? 'it has no container runtime' : `it has ${found.join(', ')}`;
  const asked = wanted === null || wanted === anyRuntime ? '' : ` with ${wanted}`;
  throw new AttemptError(
    'WORKER',
    'IMAGE_UNSUPPORTED',
    `This worker cannot run image ${JSON.stringify(image)}${asked}: ${has}`,
    true,
  );
}

/** True for files and folders, such as those on CVMFS: only some runtimes can use them in place. */
function takes(runtime: ContainerRuntime, image: string): boolean {
  const isFile = /^[./]/.test(image);
  if (runtime !== 'podman') return true;
  return !isFile && (!image.includes('://') || image.startsWith('docker://'));
}

/**
 * The command on the host that runs the payload in the image.
 * @throws AttemptError WORKER SCRATCH_UNSUITED
 */
export function inContainer(
  runtime: ContainerRuntime,
  contained: ContainedSpec,
  host: ContainerHost,
): LaunchSpec {
  const { root } = contained.folders;
  if (/[:,]/.test(root))
    throw new AttemptError(
      'WORKER',
      'SCRATCH_UNSUITED',
      `The scratch folder ${JSON.stringify(root)} cannot be mounted in a container; its path must not contain ":" or ","`,
      true,
    );
  return runtime === 'podman' ? byPodman(contained, host) : byApptainer(runtime, contained, host);
}

/** Values are passed in the environment: everybody on the host can read command lines. */
function byApptainer(
  runtime: 'apptainer' | 'singularity',
  { image, spec, folders, hasOwnPath }: ContainedSpec,
  host: ContainerHost,
): LaunchSpec {
  const prefix = `${runtime.toUpperCase()}ENV_`;
  const inside = insideOf(spec, hasOwnPath).filter(([name]) => name !== 'HOME');
  return {
    command: runtime,
    arguments: [
      'exec',
      '--cleanenv',
      '--contain',
      ...['--home', folders.work],
      ...['--workdir', folders.temporary],
      ...['--bind', folders.root],
      ...['--pwd', spec.folder],
      ...(hasDevicesOf('NVIDIA', spec.environment) ? ['--nv'] : []),
      ...(hasDevicesOf('AMD', spec.environment) ? ['--rocm'] : []),
      // There is no option for Intel devices, and a contained payload has a minimal /dev.
      ...(hasDevicesOf('INTEL', spec.environment) ? ['--bind', '/dev/dri'] : []),
      isBareName(image) ? `docker://${image}` : image,
      spec.command,
      ...spec.arguments,
    ],
    environment: {
      ...around(spec, host),
      ...Object.fromEntries(inside.map(([name, value]) => [`${prefix}${name}`, value])),
    },
    folder: spec.folder,
  };
}

/**
 * A variable given by name only takes its value from Podman's own environment; its own few variables are
 * given by value.
 */
function byPodman({ image, spec, folders, hasOwnPath }: ContainedSpec, host: ContainerHost): LaunchSpec {
  const outside = around(spec, host);
  const inside = insideOf(spec, hasOwnPath);
  const isTaken = ([name, value]: readonly [string, string]): boolean =>
    Object.hasOwn(outside, name) && outside[name] !== value;
  return {
    command: 'podman',
    arguments: [
      'run',
      '--rm',
      ...['--network', 'host'],
      ...['--security-opt', 'label=disable'],
      ...['--security-opt', 'no-new-privileges'],
      ...(host.isRoot ? [] : ['--userns', 'keep-id']),
      ...['--volume', `${folders.root}:${folders.root}`],
      ...['--workdir', spec.folder],
      ...['--entrypoint', ''],
      ...inside.flatMap((one) => ['--env', isTaken(one) ? one.join('=') : one[0]]),
      ...podmanDevices(spec),
      image,
      spec.command,
      ...spec.arguments,
    ],
    environment: {
      ...Object.fromEntries(inside.filter((one) => !isTaken(one))),
      ...outside,
    },
    folder: spec.folder,
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

/** The runtime's own environment: the host variables it needs, and the mark of the attempt's processes. */
function around({ environment }: LaunchSpec, host: ContainerHost): Record<string, string> {
  const marks = Object.entries(environment).filter(([name]) => name.startsWith('RHIZOME_'));
  return { LANG: 'C.UTF-8', ...host.environment, PATH: host.searchPath, ...Object.fromEntries(marks) };
}

/** The payload's variables. The image defines where its programs are, unless the job does. */
function insideOf({ environment }: LaunchSpec, hasOwnPath: boolean): readonly (readonly [string, string])[] {
  return Object.entries(environment).filter(([name]) => name !== 'PATH' || hasOwnPath);
}

/** An image in a registry, without its transport. */
function isBareName(image: string): boolean {
  return !/^[./]/.test(image) && !image.includes('://');
}
