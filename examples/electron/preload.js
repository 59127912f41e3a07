// What the page may do: send messages to the engine, and hear its own.
const { contextBridge, ipcRenderer } = require('electron');

contextBridge.exposeInMainWorld('engine', {
  send: (message) => ipcRenderer.send('engine', message),
  listen: (listener) => ipcRenderer.on('engine', (_event, message) => listener(message)),
});
