/** A text made of sentences that a seed draws: the haystack where no other text is given. It reads as plain English and says nothing. */
import { Random } from '../../relevance/random.js';

const WHO = [
  'the old farmer',
  'a young teacher',
  'my neighbour',
  'the captain',
  'an honest merchant',
  'the gardener',
  'a tired traveller',
  'the miller',
  'a quiet clerk',
  'the shepherd',
  'the postman',
  'an old friend',
  'the carpenter',
  'a fisherman',
  'the librarian',
  'a student',
  'the innkeeper',
  'the doctor',
  'a painter',
  'the watchman',
];
const DID = [
  'walked along',
  'looked at',
  'talked about',
  'remembered',
  'worked near',
  'waited by',
  'wrote a letter about',
  'came back from',
  'took care of',
  'dreamed of',
  'passed',
  'asked about',
  'spent an hour by',
  'described',
  'sat down beside',
  'had heard of',
  'left',
  'returned to',
  'drew a picture of',
  'complained about',
];
const WHAT = [
  'the river',
  'the empty road',
  'the harbour',
  'the small garden',
  'the market',
  'the old bridge',
  'the hill behind the church',
  'the orchard',
  'the long wall',
  'the station',
  'the mill',
  'the winter',
  'the harvest',
  'the wide field',
  'the new school',
  'the storm',
  'the narrow street',
  'the lake',
  'the forest',
  'the lamp in the window',
];
const WHEN = [
  'in the morning',
  'before the rain',
  'late in the evening',
  'that summer',
  'once a week',
  'after the meal',
  'for a long time',
  'without a word',
  'as usual',
  'with great care',
  'on the way home',
  'when the bells rang',
  'year after year',
  'at noon',
  'while the others slept',
  'before anybody else',
];
const AND = [
  'and nobody was surprised',
  'because the day was warm',
  'although there was little time',
  'and then everything was quiet',
  'as people here have always done',
  'and the dog followed',
  'since there was nothing else to do',
  'and it began to snow',
  'but said little about it',
  'and the wind turned',
  'so the work was soon finished',
  'and later forgot it again',
];

export function madeUpText(sentences: number, seed: number): string {
  const random = new Random(seed);
  const sentence = () => {
    const parts = [random.pick(WHO), random.pick(DID), random.pick(WHAT), random.pick(WHEN)];
    const text =
      random.below(2) === 0 ? parts.join(' ') : `${parts.join(' ')}, ${random.pick(AND)}`;
    return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
  };
  return Array.from({ length: sentences }, sentence).join(' ');
}
