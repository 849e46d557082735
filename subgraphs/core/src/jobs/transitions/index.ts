/** Grouped writes of job transitions without the rest of core, for measurements of the store alone. */
export type { TransitionRequest } from './transition.types.js';
export { edgeOf, shapeOf } from './transition-group.js';
export type { TransitionGroup } from './transition-group.types.js';
export { transitionStore, type TransitionStore } from './transitions.repository.js';
export { jobsCollection } from '../model/job.document.js';
export type { JobDocument } from '../model/job.types.js';
