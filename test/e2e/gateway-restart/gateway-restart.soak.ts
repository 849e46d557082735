// As gateway-restart.e2e.ts, with the gateway, core and experiments in one process.
import { gatewayRestartStories } from './gateway-restart.stories.js';

gatewayRestartStories('in-process');
