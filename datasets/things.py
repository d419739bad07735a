"""What is in a photo, as far as the sentences of several people agree: common things, and how certain they are.

Notable: a thing is in a photo if two sentences name it, and is certainly not in it only if no sentence has a word for
it, for one of its kind, or for what it may be a kind of: who writes of "a person" leaves open whether it is a man.
Scenery is left out of many sentences about photos that show it, so it is never certainly absent. The words are chosen
by hand from those that at least ten photos of Flickr8k's training part share.
"""

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from mm_memgpt.words import words

AGREE, CLEAR, LEAD = 2, 3, 2
"""Sentences that make a thing certain; that make it what a photo is about; and by how many more than any other."""

SOMEBODY = (
    "person persons people human humans adult adults teen teens teenager teenagers teenage youth youths young elderly "
    "someone somebody male males female females friend friends family families couple couples crowd crowds group team "
    "teams player players rider riders skater skaters skateboarder skateboarders snowboarder snowboarders surfer "
    "surfers skier skiers skiier skiers climber climbers hiker hikers biker bikers cyclist cyclists bicyclist "
    "bicyclists motorcyclist motorcyclists racer racers runner runners swimmer swimmers diver driver drivers kayaker "
    "kayakers boarder boarders performer performers dancer dancers musician musicians singer guitarist drummer band "
    "audience spectators onlookers fans tourists tourist pedestrian pedestrians worker workers soldier soldiers "
    "officer officers police policeman policemen fireman firefighter cowboy cowboys cowgirl referee goalie goalkeeper "
    "pitcher batter catcher baseman wrestler wrestlers boxer boxers athlete athletes trainer coach owner owners "
    "member members vendor artist artists photographer photographers fisherman farmer sailor actor actors bride groom "
    "santa child children kid kids toddler toddlers baby babies infant boy boys girl girls man men woman women guy "
    "guys lady ladies gentleman gentlemen mother father mom dad parent parents daughter son brother brothers sister "
    "sisters rollerblader wakeboarder waterskier windsurfer backpacker backpackers wheeler cheerleader cheerleaders "
    "teammates opponent opponents everyone anyone jumper jogger passengers passenger sledder competitor competitors "
    "hockey football soccer basketball rugby"
)
"""Words for people who may be a man, a woman, a boy, a girl, a child or a baby."""

PEOPLE = {
    "man": "man men guy guys gentleman gentlemen businessman",
    "woman": "woman women lady ladies businesswoman",
    "boy": "boy boys",
    "girl": "girl girls",
    "child": "child children kid kids toddler toddlers youngster youngsters",
    "baby": "baby babies infant infants",
}
"""Who may be in a photo, and the words that name them."""

THINGS = {
    "dog": "dog dogs puppy puppies greyhound greyhounds poodle collie terrier labrador corgi dalmatian rottweiler "
    "doberman dachshund | animal animals retriever shepherd lab hound pup setter spaniel husky bulldog pug breed "
    "paws corgie canine leash collar muzzle muzzled",
    "cat": "cat cats kitten kittens | animal animals",
    "horse": "horse horses pony ponies | animal animals rodeo jockey bronco equestrian mule donkey",
    "bird": "bird birds seagull seagulls pigeon pigeons goose geese parrot swan | animal animals wings "
    "flock feathers duck ducks heron eagle hawk owl chicken gulls pelican",
    "cow": "cow cows cattle | animal animals bull bulls steer calf ox herd buffalo rodeo",
    "sheep": "sheep lamb | animal animals herd goat goats",
    "ball": "ball balls | basketball basketballs football footballs soccer baseball softball volleyball tennis rugby "
    "golf bowling beachball cricket kickball dodgeball goal pitch pitcher batter polo",
    "football": "football footballs | soccer rugby ball helmeted quarterback sooners",
    "basketball": "basketball basketballs | ball hoop dunk",
    "frisbee": "frisbee frisbees | disc disk frizbee toy",
    "bat": "bat bats | baseball softball cricket batter batting swinging",
    "bike": "bike bikes bicycle bicycles | biker bikers biking cyclist cyclists bicyclist bicyclists cycling bmx rider "
    "riders riding tricycle motorbike dirtbike cycle cyclers bicycler",
    "motorcycle": "motorcycle motorcycles motorbike motorbikes dirtbike | motorcyclist motorcyclists motocross bike "
    "bikes biker bikers rider riders motor scooter atv racer moped",
    "car": "car cars | vehicle vehicles jeep truck suv van taxi automobile auto driving racing traffic parked drives "
    "driver racer cab",
    "truck": "truck trucks | vehicle vehicles jeep van pickup car suv monster",
    "bus": "bus buses | vehicle vehicles trolley tram",
    "train": "train | trains subway railroad locomotive tram rail railway tracks trolley metro",
    "boat": "boat boats sailboat sailboats rowboat rowboats motorboat | canoe kayak raft ship ships yacht vessel ferry "
    "rowing sailing paddling rapids canoes kayaks rafts dock",
    "kayak": "kayak kayaks | kayaking kayaker kayakers canoe boat raft paddling paddles rapids",
    "raft": "raft rafts | rafting boat kayak inflatable rapids tube dinghy canoe float floating",
    "skateboard": "skateboard skateboards | skateboarder skateboarders skateboarding skating skater skateboards board "
    "skate skates skatepark skateboards scooter",
    "snowboard": "snowboard snowboards | snowboarder snowboarders snowboarding board boarder skis ski",
    "surfboard": "surfboard surfboards | surfer surfers surfing board surf surfs boogie bodyboard wakeboard paddle",
    "skis": "skis ski | skier skiers skiing skiier snowboard cross poles slope skiis",
    "sled": "sled sleds sledge sleigh | sledding toboggan tube sledder saucer",
    "helmet": "helmet helmets | gear motocross hockey football biker racer armor uniform protective hat helmeted rider",
    "water": "water waters | ocean sea lake river pond pool stream creek wave waves beach puddle splash splashes "
    "splashing swim swims swimming swimmer surf surfing surfer rapids waterfall fountain wet boat kayak canoe raft "
    "shore dock underwater wading sprinkler hose surfs sprinklers harbor wetsuit splashed pier diving surfboard rowing",
    "pool": "pool pools | swimming swim swims swimmer water diving dive dives underwater swimsuit",
    "ocean": "ocean sea | wave waves beach surf surfing surfer surfs surfboard shore shoreline coast water tide",
    "lake": "lake lakes pond | water river shore dock pier swim swimming",
    "river": "river rivers stream creek | rapids water whitewater kayak canoe lake waterfall raft rafting pond brook",
    "waterfall": "waterfall waterfalls | falls cascade cascading fountain rapids",
    "fountain": "fountain fountains | sprinkler sprinklers jets spray hose sprays spraying squirting",
    "beach": "beach beaches | sand sandy shore shoreline ocean sea coast waves seaside tide dune dunes surf",
    "snow": "snow | snowy snowing ski skis skiing skier skiers snowboard snowboarder snowboarding sled sledding ice "
    "icy winter snowball snowman snowmobile blizzard snowcapped wintry slope skiers powder avalanche frost sledge",
    "ice": "ice icy | skating skaters skater rink hockey frozen glacier snow snowy skates",
    "waves": "wave waves | greets surf surfing surfer surfs surfboard ocean sea water tide rapids",
    "bench": "bench benches | sitting sits sit seat seated seats bleachers",
    "bed": "bed beds | bedroom mattress couch sleeping blanket bunk crib pillow pillows lying sofa",
    "couch": "couch couches sofa sofas | chair recliner loveseat bed armchair futon seat",
    "tent": "tent tents | camping camp canopy campsite tarp shelter",
    "trampoline": "trampoline trampolines | bouncing bounce bounces inflatable bouncy bungee",
    "bridge": "bridge bridges | overpass walkway boardwalk pier beam",
    "stairs": "stairs stairway staircase steps | stair railing handrail rail stairwell ledge step escalator",
    "ramp": "ramp ramps | halfpipe skatepark pipe trick stunt jump obstacle slope",
    "tunnel": "tunnel tunnels | tube agility underpass obstacle pipe course",
    "playground": "playground playgrounds | swing swings swinging slide slides park monkey gym equipment jungle bars "
    "sliding",
    "flag": "flag flags | banner banners parade",
    "umbrella": "umbrella umbrellas | parasol parasols rain canopy",
    "guitar": "guitar guitars | guitarist instrument instruments band musician musicians bass music banjo",
    "microphone": "microphone microphones mic | singing singer sings karaoke band stage onstage speaking concert "
    "performing performer",
    "phone": "phone phones cellphone cellphones telephone | cell call talking talks blackberry mobile",
    "book": "book books | reading reads read magazine newspaper bookstore library",
    "bottle": "bottle bottles | drink drinks drinking beer soda beverage",
    "backpack": "backpack backpacks | bag bags pack packs hiker hikers hiking backpacker backpackers gear luggage",
    "fire": "fire fires bonfire campfire | flame flames flaming burning smoke firefighter barbecue grill torch torches "
    "fireplace fireworks",
    "bubbles": "bubbles bubble | foam soap suds",
    "statue": "statue statues sculpture sculptures | monument fountain bronze figure",
    "mask": "mask masks | costume costumes masked facepaint goggles painted hockey catcher",
    "tire": "tire tires | wheel wheels tyre swing obstacle tube",
    "cart": "cart carts | wagon carriage stroller shopping trolley buggy",
}
"""Things that may be in a photo: the words that name them, and behind the bar those that leave them open."""

SCENERY = {
    "grass": "grass grassy | lawn field",
    "field": "field fields meadow pasture | grass grassy",
    "tree": "tree trees | woods",
    "forest": "forest woods wooded | trees tree jungle",
    "mountain": "mountain mountains | peak hill cliff",
    "hill": "hill hills hillside | slope mountain",
    "cliff": "cliff cliffs | ledge rock",
    "rock": "rock rocks boulder boulders | stone stones cliff",
    "sand": "sand sandy | beach dune",
    "mud": "mud muddy | dirt dirty",
    "street": "street streets road roads | sidewalk path highway city",
    "building": "building buildings | house store city",
    "wall": "wall walls | brick",
    "window": "window windows | glass",
    "fence": "fence fences fenced | gate railing",
    "flower": "flower flowers | garden plants",
    "table": "table tables | desk",
    "chair": "chair chairs | seat",
    "hat": "hat hats cap caps beanie | hood visor helmet bandanna",
    "bag": "bag bags purse | backpack",
    "rope": "rope ropes | leash",
    "stick": "stick sticks | branch log",
    "toy": "toy toys | ball frisbee",
    "sign": "sign signs | banner poster",
}
"""As THINGS, but left out of too many sentences ever to be certainly absent."""

MASS = {"water", "snow", "ice", "waves", "skis", "stairs", "bubbles", "sheep", "grass", "sand", "mud"}
"""Names that stand without "a"."""

_READINGS = (
    (r"hot dogs?|corn dogs?", "food"),
    (r"ice cream", "food"),
    (r"(?:dirt|motor) ?bik(e|es|er|ers|ing)", r"motorbik\1"),
    (r"mountain (bike|bikes|biker|bikers|biking)", r"\1"),
    (r"(?:bike|bicycle|motorcycle|skateboard|football|batting) (helmets?)", r"\1"),
    (r"fire (trucks?|engines?)", "truck"),
    (r"fire (hydrants?|place|fighters?|works|escape)", ""),
    (r"water (bottles?|guns?|slides?|parks?|polo|balloons?|fountains?|hose|ski\w*)", r"wet \1"),
    (r"peace signs?", ""),
    (r"beach (balls?|towels?|chairs?|umbrellas?|volleyball)", r"\1 shore"),
    (r"(and|to|who|he|she|they|\w*man|\w*men|boys?|girls?|child|children|kids?|person|people) waves?", r"\1 greets"),
    (r"waves? (at|to|his|her|their|hello|goodbye|for|from|back)", r"greets \1"),
    (r"stick(?:s|ing)? (out|its|his|her|their|up|to)", r"poke \1"),
    (r"(tongues?|heads?|arms?|legs?|feet) sticks?", r"\1 poke"),
    (r"steps (in|into|on|onto|over|out|off|to|through|up|down|away|across|from|towards?|back|forward)", r"step \1"),
    (r"(?:flower|truck|river) beds?", ""),
    (r"baby (blue|ducks?|birds?|goats?|elephants?|animals?)", r"\1"),
    (r"man made|off road\w*", ""),
    (r"flower (girls?)", r"\1"),
    (r"field (hockey)", r"\1"),
    (r"sea lions?", "animal"),
    (r"pool (table|cue|stick)s?", "billiards"),
    (r"table tennis", "tennis"),
    (r"flag football", "football"),
    (r"rock (climb\w*|wall|band|concert|star|music)", r"\1"),
    (r"building (a|an|the|sand\w*|something)\b", r"making \1"),
    (r"(?:bus|train) (stops?|stations?|tracks?)", r"vehicle subway \1"),
    (r"(?:sleeping|punching) bags?", ""),
    (r"(?:baby|toy) (pool|stroller|carriage|swing)s?", r"\1"),
    (r"face mask|ski masks?|ski (lift|jump|slope|pole|resort)s?", "skier"),
    (r"car seats?", "seat"),
)
"""Words that do not mean what they mean alone, a verb for one, and what is read instead."""

_PAIRS = [(re.compile(rf"\b{pair}\b"), instead) for pair, instead in _READINGS]


class Facts(NamedTuple):
    """What the sentences about one photo settle."""

    named: frozenset[str]
    """Things that certainly are in it."""
    open: frozenset[str]
    """Things that may be in it: the named ones, and those that a sentence hints at; all others certainly are not."""
    who: str | None
    """The one kind of person that it shows, where that is clear; one of PEOPLE."""
    what: str | None
    """The one thing that it shows, people aside, where that is clear; one of THINGS or SCENERY."""


class Mentioned(NamedTuple):
    """What one sentence speaks of."""

    named: frozenset[str]
    """Things that it names."""
    open: frozenset[str]
    """Things that it hints at."""
    anybody: bool
    """Whether it speaks of somebody, of whatever kind."""


def mentioned(sentence: str) -> Mentioned:
    """What a sentence, or a word, names and hints at."""
    naming, hinting = _words()
    found = _read(sentence)
    named = frozenset(thing for word in found for thing in naming.get(word, ()))
    hinted = frozenset(thing for word in found for thing in hinting.get(word, ()))
    somebody = set(SOMEBODY.split())
    return Mentioned(named, hinted, bool(named & PEOPLE.keys()) or any(word in somebody for word in found))


def facts(captions: Iterable[str]) -> Facts:
    """What the captions of one photo settle about it."""
    naming, hinting = _words()
    named: Counter[str] = Counter()
    hinted: set[str] = set(SCENERY)
    for caption in captions:
        found = set(_read(caption))
        named.update({thing for word in found for thing in naming.get(word, ())})
        hinted.update(thing for word in found for thing in hinting.get(word, ()))
    return Facts(
        named=frozenset(thing for thing, count in named.items() if count >= AGREE),
        open=frozenset(hinted | named.keys()),
        who=_clear({person: named[person] for person in PEOPLE}),
        what=_clear({thing: count for thing, count in named.items() if thing not in PEOPLE}),
    )


def phrase(thing: str) -> str:
    """A thing within a sentence: "a dog", "an umbrella", "snow"."""
    return thing if thing in MASS else f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"


def _clear(counts: dict[str, int]) -> str | None:
    """The thing that far more sentences name than any other."""
    ranked = sorted(counts.items(), key=lambda pair: -pair[1])
    if not ranked or ranked[0][1] < CLEAR or (len(ranked) > 1 and ranked[0][1] - ranked[1][1] < LEAD):
        return None
    return ranked[0][0]


def _read(caption: str) -> list[str]:
    text = " ".join(words(caption.replace("-", " ")))
    for pair, instead in _PAIRS:
        text = pair.sub(instead, text)
    return [word.split("'")[0] for word in text.split()]


@cache
def _words() -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Things by the words that name them, and by those that leave them open."""
    naming: dict[str, set[str]] = {}
    hinting: dict[str, set[str]] = {}
    for thing, line in (THINGS | SCENERY | PEOPLE).items():
        names, _, hints = line.partition("|")
        for index, listed in ((naming, names), (hinting, SOMEBODY if thing in PEOPLE else hints)):
            for word in listed.split():
                index.setdefault(word, set()).add(thing)
    return naming, hinting
