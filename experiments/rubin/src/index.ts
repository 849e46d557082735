import type { ExperimentModule } from '@rhizome/experiment';
import { buildRubin } from './app.js';

export { buildRubin } from './app.js';

/** Rubin as an experiment module, for processes that load experiments by package. */
export const experiment: ExperimentModule = { name: 'rubin', build: buildRubin };
