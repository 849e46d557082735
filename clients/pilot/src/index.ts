import { fileURLToPath } from 'node:url';

export { type Credential, readCredential } from './credential/credential-file.js';
export { type EnrolledKey, enrolKey, type KeyEnrolment } from './credential/enrol-key.js';
export { enrol, EnrolmentRefused, renew } from './credential/enrolment-client.js';
export { WorkerCredential } from './credential/worker-credential.js';
export { endSupervisors } from './supervisor/end-supervisors.js';
export { isolationFault } from './isolation/isolation-fault.js';
export {
  PilotAcquireJobsDocument,
  PilotFinishJobsDocument,
  PilotHeartbeatDocument,
  PilotRegisterWorkerDocument,
  PilotStartJobsDocument,
  PilotWorkerCommandsDocument,
} from './operations.generated.js';

/** Path of the pilot program, for callers that start pilots as processes with `node`. */
export const pilotProgram: string = fileURLToPath(new URL('../bundle/bin.js', import.meta.url));
