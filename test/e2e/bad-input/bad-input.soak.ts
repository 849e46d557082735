// As bad-input.e2e.ts, with the gateway, core and experiments in one process.
import { badInputStories } from './bad-input.stories.js';

badInputStories('in-process');
