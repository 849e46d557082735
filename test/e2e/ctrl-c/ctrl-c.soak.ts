// As ctrl-c.e2e.ts, with the gateway, core and experiments in one process.
import { ctrlCStories } from './ctrl-c.stories.js';

ctrlCStories('in-process');
