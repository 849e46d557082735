import type { ExperimentModule } from '@rhizome/experiment';
import { buildRubin } from './app.js';

export { buildRubin } from './app.js';

/** Rubin, for whoever starts experiments without knowing them by name. */
export const experiment: ExperimentModule = { name: 'rubin', build: buildRubin };
