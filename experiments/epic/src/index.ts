import type { ExperimentModule } from '@rhizome/experiment';
import { buildEpic } from './app.js';

export { buildEpic } from './app.js';

/** ePIC as an experiment module, for processes that load experiments by package. */
export const experiment: ExperimentModule = { name: 'epic', build: buildEpic };
