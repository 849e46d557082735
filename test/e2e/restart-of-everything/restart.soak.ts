// As restart.e2e.ts, with the gateway, core and experiments in one process.
import { restartStories } from './restart.stories.js';

restartStories('in-process');
