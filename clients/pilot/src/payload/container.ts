/** Payloads in container images: which runtime of the host takes one, and the command line that starts it there. Pure. */
import type { AttemptFolders } from '../files/scratch.js';
import { hasDevicesOf } from '../hardware/gpus/visibility-variables.js';
import { AttemptError } from './attempt-error.js';
import type { LaunchSpec } from './launch.js';

/** Runtimes that a payload can be run with, in order of preference. All of them work without root and without a service. */
export const containerRuntimes = ['apptainer', 'singularity', 'podman'] as const;

/** One of {@link containerRuntimes}. */
export type ContainerRuntime = (typeof containerRuntimes)[number];

/** What a host has to run containers with. */
export interface ContainerHost {
  /** Found on its search path. */
  readonly runtimes: readonly string[];
  /** Where their programs and those they need are looked for. */
  readonly searchPath: string;
  /** Of the pilot's environment, what runtimes need for themselves, as `HOME` and their cache; never a secret. */
  readonly environment: Readonly<Record<string, string>>;
  /** The pilot is root: users are not mapped then. */
  readonly isRoot: boolean;
}

/** A payload as it is started on the host itself, and the image to start it in. */
export interface ContainedSpec {
  readonly image: string;
  readonly spec: LaunchSpec;
  readonly folders: AttemptFolders;
  /** `PATH` is the job's own word, not the host's: then it counts in the image, too. */
  readonly hasOwnPath: boolean;
}

/** Any one will do. */
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
    `this worker cannot run image ${JSON.stringify(image)}${asked}: ${has}`,
    true,
  );
}

/** Files and folders, as they lie on CVMFS, are for those that run them where they lie. */
function takes(runtime: ContainerRuntime, image: string): boolean {
  const isFile = /^[./]/.test(image);
  if (runtime !== 'podman') return true;
  return !isFile && (!image.includes('://') || image.startsWith('docker://'));
}

/** What to start on the host so that the payload runs in the image. @throws AttemptError WORKER SCRATCH_UNSUITED */
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
      `the scratch folder ${JSON.stringify(root)} cannot be bound into a container; its path must have no ":" and no ","`,
      true,
    );
  return runtime === 'podman' ? byPodman(contained, host) : byApptainer(runtime, contained, host);
}

/** Values travel in the environment: command lines are for everybody on the host to read. */
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
      // There is no word for Intel's devices, and of /dev a contained payload has the least.
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

/** A variable of which only the name is given has the value of Podman's own environment; its own few are told by value. */
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

/** Devices by the names of the container device interface: those that the pilot gave to the job. */
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

/** The runtime's own environment: what it needs of the host, and what marks the attempt's processes. */
function around({ environment }: LaunchSpec, host: ContainerHost): Record<string, string> {
  const marks = Object.entries(environment).filter(([name]) => name.startsWith('RHIZOME_'));
  return { LANG: 'C.UTF-8', ...host.environment, PATH: host.searchPath, ...Object.fromEntries(marks) };
}

/** What the payload shall see; where programs are is the image's to say, unless the job says so. */
function insideOf({ environment }: LaunchSpec, hasOwnPath: boolean): readonly (readonly [string, string])[] {
  return Object.entries(environment).filter(([name]) => name !== 'PATH' || hasOwnPath);
}

/** Of a registry, without saying how it is reached. */
function isBareName(image: string): boolean {
  return !/^[./]/.test(image) && !image.includes('://');
}
