import { join } from 'node:path';
import { attemptVariable } from '../processes/attempt-processes.js';
import { visibleDevices } from '../hardware/gpus/visibility-variables.js';
import type { DetectedDevice } from '../hardware/gpus/detected-device.js';
import type { RestoredCheckpoint } from '../checkpoints/checkpoint.types.js';
import type { AttemptFolders } from '../files/scratch.js';
import type { Assignment } from '../protocol/core-protocol.js';
import { unitSocketName, unitsInside } from '../units/unit-places.js';

/** Paths for a payload's environment. */
export interface PayloadPlaces {
  readonly folders: AttemptFolders;
  /** Search path for its programs. */
  readonly searchPath: string;
  /** Folders with libraries of device drivers that only a variable points to. */
  readonly driverLibraries?: readonly string[];
  /** Secrets that are variables. */
  readonly secrets?: Readonly<Record<string, string>> | undefined;
  /** Checkpoint from which it continues. */
  readonly checkpoint?: RestoredCheckpoint | undefined;
}

/**
 * The complete environment of a payload: variables for the host's programs, those that the job declares, and
 * the pilot's facts about the job, which cannot be overridden. Nothing of the pilot's own environment is
 * passed, except the folders of driver libraries to a job with devices. `devices` are the job's devices.
 */
export function payloadEnvironment(
  assignment: Assignment,
  { folders, searchPath, driverLibraries = [], secrets, checkpoint }: PayloadPlaces,
  devices: readonly DetectedDevice[] = [],
): Record<string, string> {
  const declared = assignment.payload.environment.map(({ name, value }) => [name, value] as const);
  const libraries = devices.length === 0 ? [] : driverLibraries;
  return {
    PATH: `${searchPath}:${folders.tools}`,
    LANG: 'C.UTF-8',
    HOME: folders.work,
    TMPDIR: folders.temporary,
    ...Object.fromEntries(declared),
    ...secrets,
    ...withLibraries(libraries, declared.find(([name]) => name === libraryVariable)?.[1]),
    RHIZOME_JOB_ID: assignment.jobId,
    RHIZOME_ATTEMPT: String(assignment.attempt),
    [attemptVariable]: assignment.attemptId,
    RHIZOME_INPUTS: folders.inputs,
    RHIZOME_INPUTS_MANIFEST: folders.inputsManifest,
    RHIZOME_OUTPUTS: folders.outputs,
    RHIZOME_DEADLINE_FILE: folders.deadline,
    RHIZOME_REQUESTS: folders.requests,
    RHIZOME_TOOLS: folders.tools,
    ...(assignment.payload.isTokenRequired
      ? { RHIZOME_UNITS: unitsInside, RHIZOME_UNITS_SOCKET: join(unitsInside, unitSocketName) }
      : {}),
    ...checkpointVariables(checkpoint),
    ...(secrets === undefined ? {} : { RHIZOME_SECRETS: folders.secrets }),
    RHIZOME_CORES: String(assignment.requirements.cores),
    RHIZOME_MEMORY_MIB: String(assignment.requirements.memoryMiB),
    ...visibleDevices(devices),
  };
}

function checkpointVariables(checkpoint: RestoredCheckpoint | undefined): Record<string, string> {
  if (checkpoint === undefined) return {};
  const { folder, step } = checkpoint;
  return {
    RHIZOME_CHECKPOINT_DIR: folder,
    ...(step === null ? {} : { RHIZOME_CHECKPOINT_STEP: String(step) }),
  };
}

const libraryVariable = 'LD_LIBRARY_PATH';

/** Adds driver libraries after the folders that the job declares. */
function withLibraries(folders: readonly string[], declared: string | undefined): Record<string, string> {
  if (folders.length === 0) return {};
  return { [libraryVariable]: [...(declared ? [declared] : []), ...folders].join(':') };
}
