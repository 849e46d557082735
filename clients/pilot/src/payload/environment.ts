import { ATTEMPT_VARIABLE } from '../processes/attempt-processes.js';
import { visibleDevices } from '../hardware/gpus/visible.js';
import type { FoundDevice } from '../hardware/gpus/device-facts.js';
import type { AttemptFolders } from '../files/scratch.js';
import type { Assignment } from '../protocol/core-protocol.js';

/**
 * The whole environment of a payload: what the host's programs need, what the job declared, and what the pilot says about the
 * job. Nothing of the pilot's own environment gets in; what the pilot says cannot be overridden. `devices` are those that the job was given.
 */
export function payloadEnvironment(
  assignment: Assignment,
  folders: AttemptFolders,
  searchPath: string,
  devices: readonly FoundDevice[] = [],
): Record<string, string> {
  const declared = assignment.payload.environment.map(({ name, value }) => [name, value] as const);
  return {
    PATH: searchPath,
    LANG: 'C.UTF-8',
    HOME: folders.work,
    TMPDIR: folders.temporary,
    ...Object.fromEntries(declared),
    RHIZOME_JOB_ID: assignment.jobId,
    RHIZOME_ATTEMPT: String(assignment.attempt),
    [ATTEMPT_VARIABLE]: assignment.attemptId,
    RHIZOME_INPUTS: folders.inputs,
    RHIZOME_INPUTS_MANIFEST: folders.inputsManifest,
    RHIZOME_OUTPUTS: folders.outputs,
    RHIZOME_CORES: String(assignment.requirements.cores),
    RHIZOME_MEMORY_MIB: String(assignment.requirements.memoryMiB),
    ...visibleDevices(devices),
  };
}
