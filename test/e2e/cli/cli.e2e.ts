// The command line as people and scripts use it: every command, on a playground with one real pilot. The
// stories share the system, and run in this order.
import { beforeAll } from '@jest/globals';
import { startStage } from './stage.js';
import './submit.stories.js';
import './files.stories.js';
import './inspect.stories.js';
import './change.stories.js';
import './exit-codes.stories.js';
import './set-up.stories.js';
import './policies.stories.js';
import './operators.stories.js';

beforeAll(startStage);
