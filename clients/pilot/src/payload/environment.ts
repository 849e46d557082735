import { attemptVariable } from '../processes/attempt-processes.js';
import { visibleDevices } from '../hardware/gpus/visibility-variables.js';
import type { DetectedDevice } from '../hardware/gpus/detected-device.js';
import type { AttemptFolders } from '../files/scratch.js';
import type { Assignment } from '../protocol/core-protocol.js';

/** Where a payload finds what it runs with. */
export interface PayloadPlaces {
  readonly folders: AttemptFolders;
  /** Where its programs are looked for. */
  readonly searchPath: string;
  /** Folders with libraries of the devices' drivers which nothing but a variable tells. */
  readonly driverLibraries?: readonly string[];
}

/**
 * The whole environment of a payload: what the host's programs need, what the job declared, and what the pilot says about the
 * job. Nothing of the pilot's own environment gets in but where the drivers of devices have their libraries, for a job that was given
 * devices; what the pilot says cannot be overridden. `devices` are those that the job was given.
 */
export function payloadEnvironment(
  assignment: Assignment,
  { folders, searchPath, driverLibraries = [] }: PayloadPlaces,
  devices: readonly DetectedDevice[] = [],
): Record<string, string> {
  const declared = assignment.payload.environment.map(({ name, value }) => [name, value] as const);
  const libraries = devices.length === 0 ? [] : driverLibraries;
  return {
    PATH: searchPath,
    LANG: 'C.UTF-8',
    HOME: folders.work,
    TMPDIR: folders.temporary,
    ...Object.fromEntries(declared),
    ...withLibraries(libraries, declared.find(([name]) => name === libraryVariable)?.[1]),
    RHIZOME_JOB_ID: assignment.jobId,
    RHIZOME_ATTEMPT: String(assignment.attempt),
    [attemptVariable]: assignment.attemptId,
    RHIZOME_INPUTS: folders.inputs,
    RHIZOME_INPUTS_MANIFEST: folders.inputsManifest,
    RHIZOME_OUTPUTS: folders.outputs,
    RHIZOME_CORES: String(assignment.requirements.cores),
    RHIZOME_MEMORY_MIB: String(assignment.requirements.memoryMiB),
    ...visibleDevices(devices),
  };
}

const libraryVariable = 'LD_LIBRARY_PATH';

/** What the job declares comes first. */
function withLibraries(folders: readonly string[], declared: string | undefined): Record<string, string> {
  if (folders.length === 0) return {};
  return { [libraryVariable]: [...(declared ? [declared] : []), ...folders].join(':') };
}
