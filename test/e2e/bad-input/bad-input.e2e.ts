import { badInputStories } from './bad-input.stories.js';

badInputStories('http');
