import type { ExperimentModule } from '@rhizome/experiment';
import { buildAtlas } from './app.js';

export { buildAtlas } from './app.js';

/** ATLAS as an experiment module, for processes that load experiments by package. */
export const experiment: ExperimentModule = { name: 'atlas', build: buildAtlas };
