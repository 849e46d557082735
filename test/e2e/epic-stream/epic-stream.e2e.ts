// The short form of the story; `epic-stream.soak.ts` has the long one.
import { epicStreamStory } from './story.js';

epicStreamStory({ seconds: 15, slicesPerFrame: 15, workers: 4, perPilot: 2, workSeconds: 0.05 });
