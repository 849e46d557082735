import type { ExperimentModule } from '@rhizome/experiment';
import { buildEpic } from './app.js';

export { buildEpic } from './app.js';

/** ePIC, for whoever starts experiments without knowing them by name. */
export const experiment: ExperimentModule = { name: 'epic', build: buildEpic };
