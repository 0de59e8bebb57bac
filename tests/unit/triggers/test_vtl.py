"""Mapping templates: what they put out, and that no template does more than it may."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdad.triggers.vtl.bounds import TemplateFailed
from lambdad.triggers.vtl.patterns import PatternRefused, compiled
from lambdad.triggers.vtl.templates import render
from lambdad.triggers.vtl.values import of_json


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain $ text # 100% \\n", "plain $ text # 100% \\n"),
        ("$x ${x}b $!y $y", "1 1b  $y"),
        ("\\$x \\#set", "$x #set"),
        ("$map.name $map['name'] $map.get('name')", "me me me"),
        ("$map.missing$!map.missing.deeper", ""),
        ("#if($x == 1)one#elseif($x == 2)two#{else}three#end.", "one."),
        ("#if($x > 1)one#elseif($x == 1)two#{else}three#end.", "two."),
        ("#if(!$y and '' and not false)yes#end", "yes"),
        ("#set($a = $x + 1)$a #set($b = 'b' + $a)$b", "2 b2"),
        ("#set($a = -7 / 2)$a #set($b = -7 % 3)$b #set($c = (1 + 2) * 3)$c", "-3 -1 9"),
        ("#set($a = 1 / 0)$!a.", "."),
        ("#set($a = 9223372036854775807 + 1)$a", "-9223372036854775808"),
        ("#foreach($i in [1..3])$i#if($foreach.hasNext),#end#end", "1,2,3"),
        ("#foreach($i in [3..1])$velocityCount:$i #end", "1:3 2:2 3:1 "),
        ("#foreach($i in [1..9])#if($i == 3)#break#end$i#end", "12"),
        ("#foreach($e in $map.entrySet())$e.key=$e.value;#end", "name=me;"),
        ("a#stop b", "a"),
        ("#macro(hi $who)hi $who!#end#hi('you')#hi(2)", "hi you!hi 2!"),
        ("#set($m = {'a': 1})#set($m.b = [1, 'x'])$m", "{a=1, b=[1, x]}"),
        ("$json $json.list.size() $json.list[1].k", '{"list":[1,{"k":"v"}]} 2 v'),
        ("a ## gone\nb #* gone\n *# c #[[ $x #if ]]#", "a b  c  $x #if "),
        ('#set($s = "<$x> ""q""")$s #set($t = \'<$x>\')$t', '<1> "q" <$x>'),
        (
            "{\n  #set($a = 1)\n  #if(true)\n  $a\n  #end\n}",
            "{\n  1\n}",
        ),
        ("$s.replaceAll('(b)', '<$1>') $s.replace('b', '.') $s.split('b').size()", "a<b>c a.c 2"),
        ("$s.length() $s.toUpperCase() $s.substring(1) $s.indexOf('c')", "3 ABC bc 2"),
        ("$s.__class__ $s.upper", " "),
    ],
)
def test_a_template_puts_out_what_velocity_does(template: str, expected: str) -> None:
    variables: dict[str, Any] = {
        "x": 1,
        "s": "abc",
        "map": {"name": "me"},
        "json": of_json({"list": [1, {"k": "v"}]}),
    }
    assert render(template, variables) == expected


@pytest.mark.parametrize(
    "template",
    [
        "#if($x)",
        "#end",
        "#set($a 1)",
        "#set(1 = 2)",
        "#foreach($a of [1])#end",
        "#set($a = )",
        "#set($a = 'open)",
        "${x",
        "$x.format('%s')",
        "$x.mro()",
        "#[[ open",
    ],
)
def test_what_is_no_template_fails(template: str) -> None:
    with pytest.raises(TemplateFailed):
        render(template, {"x": "text"})


LOOP = "#foreach($i in [1..1000])"
HOSTILE = {
    "loops in loops": LOOP * 4 + "x" + "#end" * 4,
    "text that doubles": f"#set($a = 'xx'){LOOP}#set($a = \"$a$a\")#end$a",
    "text that doubles by +": f"#set($a = 'xx'){LOOP}#set($a = $a + $a)#end$a",
    "text that doubles by concat": f"#set($a = 'xx'){LOOP}#set($a = $a.concat($a))#end$a",
    "text that doubles by replace": f"#set($a = 'xx'){LOOP}#set($a = $a.replace('x', 'xx'))#end",
    "a huge output": f"{LOOP}{LOOP}{'x' * 1000}#end#end",
    "a list in itself": "#set($a = [])$a.add($a)$a",
    "a map in itself": "#set($a = {})#set($a.b = $a)$a",
    "lists that double": f"#set($a = [1]){LOOP}#set($a = [$a, $a])#end$a",
    "comparing lists that double": (
        f"#set($a = [1])#set($b = [1]){LOOP}#set($a = [$a, $a])#set($b = [$b, $b])#end"
        "#if($a == $b)x#end"
    ),
    "a list that grows": f"#set($a = [1]){LOOP}$a.addAll($a)#end",
    "a macro that uses itself": "#macro(m)#m()#end#m()",
    "a long range": "#set($a = [1..1000000000])",
    "deep brackets": f"#set($a = {'(' * 5000}1{')' * 5000})",
    "deep negation": f"#set($a = {'!' * 50000}true)",
    "deep blocks": "#if(true)" * 5000 + "#end" * 5000,
    "deep texts": "#set($a = " + '"$b[' * 30 + "1" + ']"' * 30 + ")",
    "a slow regular expression": "$text.matches('(x+x+)+y')",
    "a slower one": "$text.replaceAll('(x|xx)*y', '')",
    "a large replacement": f"{LOOP}#set($text = $text.replaceAll('x', 'xxxxxxxx'))#end",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(20)
def test_a_hostile_template_is_stopped(name: str) -> None:
    with pytest.raises(TemplateFailed):
        render(HOSTILE[name], {"text": "x" * 2_000})


def test_a_template_cannot_reach_beyond_its_values() -> None:
    template = "$x.__class__.__mro__ $x.__init__ $m.__globals__ $m.keys $l.append"
    assert render(template, {"x": "s", "m": {}, "l": []}).strip() == ""


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|aa)+b", "a*a*a*a*b", "(?:a?){30}a{30}", "("])
def test_a_regular_expression_that_could_take_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(PatternRefused):
        compiled(pattern, "a" * 1_000)


@pytest.mark.parametrize("pattern", [r".*Error.*", r"^Bearer [-\w.]+$", r"4\d{2}", r"\s+", "a|b"])
def test_usual_regular_expressions_are_not(pattern: str) -> None:
    assert compiled(pattern, "x" * 4_000).pattern == pattern


TOKENS = """
$x $!x ${x $l $m . .size() .get(0) .put('a',$m) .add($l) [0] ['k'] ( ) { } [ ] , : #set( #if( #else
#foreach($i_in_ #elseif( #end #macro(a_$b) #a($x) #break #stop = == != && || ! - + * / % 1 2.5
'text' " true null .. ## #* *# #[[ ]]# \\ .replaceAll('(a)','$1') .split('') .substring( .intValue()
1e999
"""


@given(st.lists(st.sampled_from([*TOKENS.split(), " ", "\n", "_"]), max_size=30).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_text_is_rendered_or_fails_as_a_template(template: str) -> None:
    with suppress(TemplateFailed):
        render(template.replace("_", " "), {"x": "abc", "l": [1, [2]], "m": {"k": 1}})
