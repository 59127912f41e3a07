import { Random } from '../random.js';
import { selectRows } from '../reference/select-rows.js';
import { devices, testing } from '../testing.js';

describe.each(devices)('select_rows on $name', ({ path }) => {
  test.each([1, 33, 256])('takes rows of %d numbers in any order, more than once', (width) => {
    const x = new Random(2).normals(5 * width);
    const rows = Int32Array.of(4, 0, 4);
    const selected = testing.selectRows(path, 1, x, rows, width);
    expect([...selected]).toEqual(selectRows(x, rows, width));
  });
});
