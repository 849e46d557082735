import { restartStories } from './restart.stories.js';

restartStories('http');
