export { EngineHolder } from './engine-holder.js';
