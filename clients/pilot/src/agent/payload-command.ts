import type { RestoredCheckpoint } from '../checkpoints/checkpoint.types.js';
import type { AttemptFolders } from '../files/scratch.js';
import type { DetectedDevice } from '../hardware/gpus/detected-device.js';
import type { PayloadIsolation } from '../isolation/payload-isolation.js';
import { inContainer, runtimeFor, type ContainerRuntime } from '../payload/container.js';
import { payloadEnvironment } from '../payload/environment.js';
import type { LaunchSpec } from '../payload/launch.js';
import type { Assignment } from '../protocol/core-protocol.js';
import type { AttemptSecrets } from '../secrets/attempt-secrets.js';

/** Search paths and isolation of this host, for all payloads. */
export interface PayloadHost {
  /** Search path for the payload's programs. */
  readonly searchPath: string;
  /** Folders with libraries of device drivers that only a variable points to. */
  readonly driverLibraries: readonly string[];
  readonly isolation: PayloadIsolation;
}

/** Folders, devices and secrets of one attempt on this host. */
export interface AttemptParts {
  readonly folders: AttemptFolders;
  readonly devices: readonly DetectedDevice[];
  readonly secrets: AttemptSecrets | undefined;
  readonly checkpoint: RestoredCheckpoint | undefined;
}

/** The command of a payload in a sandbox, or in the image that the job names. @throws AttemptError */
export async function payloadCommand(
  assignment: Assignment,
  { searchPath, driverLibraries, isolation }: PayloadHost,
  { folders, devices, secrets, checkpoint }: AttemptParts,
): Promise<LaunchSpec> {
  const { payload, requirements } = assignment;
  const { image } = payload;
  const places = {
    folders,
    searchPath,
    // A container's runtime brings the drivers' libraries along.
    driverLibraries: image === null ? driverLibraries : [],
    secrets: secrets?.variables,
    checkpoint,
  };
  const spec = {
    command: payload.command,
    arguments: payload.arguments,
    environment: payloadEnvironment(assignment, places, devices),
    folder: folders.work,
  };
  const { memoryMiB, isNetworkRequired: needsNetwork } = requirements;
  const units = payload.isTokenRequired ? folders.units : undefined;
  const common = { spec, folders, memoryMiB, secrets: secrets?.folder, units };
  if (image === null) return isolation.commandFor({ ...common, devices, driverLibraries, needsNetwork });
  const hasOwnPath =
    payload.environment.some(({ name }) => name === 'PATH') || secrets?.variables['PATH'] !== undefined;
  const { limits, isolatesNetwork, containers } = isolation;
  const hasNetwork = needsNetwork || !isolatesNetwork;
  const contained = {
    ...common,
    image,
    limits,
    hasNetwork,
    hasOwnPath,
    writable: await isolation.writable(),
  };
  return inContainer(runtimeOf(assignment, image, isolation), contained, containers);
}

/** The container runtime of this host for a job's image. @throws AttemptError if none can run it */
export function runtimeOf(
  { requirements }: Assignment,
  image: string,
  { containers }: PayloadIsolation,
): ContainerRuntime {
  return runtimeFor(image, requirements.containerRuntime, containers.runtimes);
}
