import { gatewayRestartStories } from './gateway-restart.stories.js';

gatewayRestartStories('http');
