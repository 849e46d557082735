/** Facts that all container runtimes need about a payload. */
import type { AttemptFolders } from '../files/scratch.js';
import { attemptVariable } from '../processes/attempt-processes.js';
import type { ProcessLimits } from '../isolation/bubblewrap.js';
import type { LaunchSpec } from './launch.js';

/** A host's means to run containers. */
export interface ContainerHost {
  /** Runtimes on its search path. */
  readonly runtimes: readonly string[];
  /** Search path for their programs and those they need. */
  readonly searchPath: string;
  /** Variables of the pilot that runtimes need, such as `HOME` and their cache; never a secret. */
  readonly environment: Readonly<Record<string, string>>;
  /** True if Podman makes control groups of its own; otherwise a payload stays in the pilot's. */
  readonly usesControlGroups: boolean;
  /** True if the pilot is root: users are not mapped then. */
  readonly isRoot: boolean;
}

/** A payload as it would start on the host, and the image to start it in. */
export interface ContainedSpec {
  readonly image: string;
  readonly spec: LaunchSpec;
  readonly folders: AttemptFolders;
  readonly limits: ProcessLimits;
  readonly memoryMiB: number;
  /** False if it gets a network without any other host. */
  readonly hasNetwork: boolean;
  /** Folders of the host that it may write, at the same path. */
  readonly writable: readonly string[];
  /** True if `image` is a folder of this host with the image's files. */
  readonly isFolder?: true;
  /** True if the job sets `PATH` itself: then it applies in the image, too. */
  readonly hasOwnPath: boolean;
  /** Folder of the host with its secrets. */
  readonly secrets?: string | undefined;
  /** Folder of the host for its work on units. */
  readonly units?: string | undefined;
}

/** The runtime's own environment: the host variables it needs, and the mark of the attempt's processes. */
export function runtimeEnvironment({ environment }: LaunchSpec, host: ContainerHost): Record<string, string> {
  const attemptId = environment[attemptVariable];
  return {
    LANG: 'C.UTF-8',
    ...host.environment,
    PATH: host.searchPath,
    ...(attemptId === undefined ? {} : { [attemptVariable]: attemptId }),
  };
}

/** The payload's variables. The image defines where its programs are, unless the job does. */
export function variablesInside(
  { environment }: LaunchSpec,
  hasOwnPath: boolean,
): readonly (readonly [string, string])[] {
  return Object.entries(environment).filter(([name]) => name !== 'PATH' || hasOwnPath);
}
