// As epic-stream.e2e.ts, for a minute with thirty workers.
import { epicStreamStory } from './story.js';

epicStreamStory({ seconds: 60, slicesPerFrame: 15, workers: 30, perPilot: 6, workSeconds: 0.5 });
