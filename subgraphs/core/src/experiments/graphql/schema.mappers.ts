/** What stands behind the types of this folder's SDL. */
export type { ExperimentDocument as ExperimentMapper } from '../experiment.document.js';
