export type {
  Database,
  ExperimentModule,
  ExperimentOptions,
  ExperimentService,
  Following,
} from './module.js';
export {
  collectionsOf,
  createSubmissions,
  prepareDatabase,
  type Submissions,
  type SubmissionsOptions,
} from './submissions.js';
export {
  defineSubmissions,
  type OwnFields,
  type SubmissionDocument,
  type SubmissionsDeclaration,
  type SubmissionStage,
  type WorkflowEnd,
} from './submissions/submission.document.js';
export { givenResources, type JobResources, jobResourcesSchema } from './input/job-resources.js';
export {
  commonPathRules,
  type CoreParameterSet,
  type CoreTask,
  type PathRule,
} from './submissions/core-task.js';
export type { CoreNode, CoreWorkflow } from './submissions/core-workflow.js';
export type { RetryRequest } from './submissions/core-retry.js';
export { isCursorLost } from './following/follower.js';
export { spentBy } from './following/node-run.js';
export type { NodeRun, NodeStateDocument } from './following/node-state.document.js';
export type { SubmissionParts, SubmissionProjection } from './submissions/submissions.repository.js';
export type { SubmissionErrorCode } from './submissions/error-codes.js';
export type { SubmissionRules, SubmitRequest, SubmitResult, WorkflowRules } from './submissions/submitter.js';
export { ChangeFeed, type DocumentChange } from './changes/change-feed.js';
export { changesOf } from './changes/change-stream.repository.js';
export {
  jobDetails,
  type JobPosition,
  type JobPositionKey,
  type JobPositionLoader,
  type JobRepresentation,
} from './details/job-details.js';
export {
  submissionEntity,
  type SubmissionEntity,
  type SubmissionEntityOptions,
} from './details/submission-entity.js';
export { type LoggedAttempt, outputLines } from './details/job-log.js';
export type { Alongside, Amounts, AmountsOf, NodeNews } from './following/ledger.repository.js';
export { type JobOutcome, positionId, positionOf } from './following/job-state.document.js';
export {
  ExperimentInputErrors,
  type InputFault,
  type UsualInput,
  workerLabel,
} from './input/experiment-input-errors.js';
export { type ExperimentConfig, type ExperimentDefaults, loadExperimentConfig } from './host/config.js';
export { runExperiment } from './host/run-experiment.js';
export { type ServedExperiment, serveExperiment } from './host/serve-experiment.js';
