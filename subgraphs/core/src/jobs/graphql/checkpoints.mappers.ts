/** Types behind the SDL types of progress and checkpoints. */
export type { ShownProgress as JobProgressMapper } from '../checkpoints/shown-progress.js';
export type { StoredCheckpoint as JobCheckpointMapper } from '../checkpoints/job-progress.document.js';
