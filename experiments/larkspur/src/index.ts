import type { ExperimentModule } from '@rhizome/experiment';
import { buildLarkspur } from './app.js';

export { buildLarkspur } from './app.js';

/** Larkspur as an experiment module, for processes that load experiments by package. */
export const experiment: ExperimentModule = { name: 'larkspur', build: buildLarkspur };
