// The page: shows what the engine says. It runs in the sandboxed renderer and knows nothing of Node.
const talk = document.getElementById('talk');
const input = document.getElementById('text');
let id = 0;
let answer;

function add(kind, text) {
  const line = document.createElement('div');
  line.className = kind;
  line.textContent = text;
  talk.append(line);
  return line;
}

const heard = {
  progress: ({ phase, receivedBytes, totalBytes }) => {
    const share = totalBytes ? ` ${Math.round((100 * receivedBytes) / totalBytes)} %` : '';
    input.placeholder = `${phase}${share}`;
  },
  ready: ({ device }) => {
    add('note', device);
    input.placeholder = 'Ask something';
    input.disabled = false;
    input.focus();
  },
  piece: ({ text }) => {
    answer.textContent += text;
    talk.scrollTop = talk.scrollHeight;
  },
  end: () => {
    input.disabled = false;
    input.focus();
  },
  error: ({ message }) => {
    add('note', message);
    input.disabled = false;
  },
  ended: ({ code }) => add('note', `the engine's process ended with code ${code}`),
};

window.engine.listen((message) => heard[message.type]?.(message));
window.engine.send({ type: 'load', model: 'tinyllama-1.1b-chat' });

document.getElementById('form').addEventListener('submit', (event) => {
  event.preventDefault();
  if (input.value.trim() === '') return;
  add('user', input.value);
  answer = add('model', '');
  window.engine.send({ type: 'chat', id: ++id, text: input.value });
  input.value = '';
  input.disabled = true;
});
document.getElementById('stop').addEventListener('click', () => {
  window.engine.send({ type: 'stop', id });
});
