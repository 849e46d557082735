/** Payloads in container images: selection of the host's runtime, and its command line. Pure functions. */
import { hasDevicesOf } from '../hardware/gpus/visibility-variables.js';
import { AttemptError } from './attempt-error.js';
import { runtimeEnvironment, variablesInside, type ContainedSpec, type ContainerHost } from './contained.js';
import type { LaunchSpec } from './launch.js';
import { unitsInside } from '../units/unit-places.js';
import { byPodman } from './podman.js';

/** Supported runtimes, in order of preference. All of them work without root and without a service. */
export const containerRuntimes = ['apptainer', 'singularity', 'podman'] as const;

/** One of {@link containerRuntimes}. */
export type ContainerRuntime = (typeof containerRuntimes)[number];

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
  return !isFile && !podmanFiles.test(image) && (!image.includes('://') || image.startsWith('docker://'));
}

/** Images that Podman would read from files, or from another service, of its own host. */
const podmanFiles =
  /^(dir|oci|oci-archive|docker-archive|docker-daemon|containers-storage|ostree|sif|tarball|atomic):(?!\d+\/)/;

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

/**
 * Values are passed in the environment: everybody on the host can read command lines. The prefix keeps them
 * from taking effect in the runtime's own process.
 */
function byApptainer(
  runtime: 'apptainer' | 'singularity',
  { image, spec, folders, hasOwnPath, hasNetwork, isFolder, writable, secrets, units }: ContainedSpec,
  host: ContainerHost,
): LaunchSpec {
  const prefix = `${runtime.toUpperCase()}ENV_`;
  const inside = variablesInside(spec, hasOwnPath).filter(([name]) => name !== 'HOME');
  return {
    command: runtime,
    arguments: [
      'exec',
      ...['--cleanenv', '--containall', '--pid', '--ipc', '--no-privs'],
      ...(hasNetwork ? [] : ['--net', '--network', 'none']),
      ...['--home', folders.work],
      ...['--workdir', folders.temporary],
      ...writable.flatMap((path) => ['--bind', path]),
      ...['--bind', folders.root],
      ...(secrets === undefined ? [] : ['--bind', `${secrets}:${folders.secrets}:ro`]),
      ...(units === undefined ? [] : ['--bind', `${units}:${unitsInside}`]),
      ...['--pwd', spec.folder],
      ...(hasDevicesOf('NVIDIA', spec.environment) ? ['--nv'] : []),
      ...(hasDevicesOf('AMD', spec.environment) ? ['--rocm'] : []),
      // There is no option for Intel devices, and a contained payload has a minimal /dev.
      ...(hasDevicesOf('INTEL', spec.environment) ? ['--bind', '/dev/dri'] : []),
      !isFolder && isBareName(image) ? `docker://${image}` : image,
      spec.command,
      ...spec.arguments,
    ],
    environment: {
      ...runtimeEnvironment(spec, host),
      ...Object.fromEntries(inside.map(([name, value]) => [`${prefix}${name}`, value])),
      // The runtime adds it to the search path of the image.
      [`${prefix}APPEND_PATH`]: folders.tools,
    },
    folder: '/',
    hasOwnSharedMemory: true,
  };
}

/** An image in a registry, without its transport. */
function isBareName(image: string): boolean {
  return !/^[./]/.test(image) && !image.includes('://');
}
